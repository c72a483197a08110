//! The cases of `tests/cel/`, judged by a real API server. What CEL costs is estimated only there, and only
//! there do bounds, defaults and unchanged parts count.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cel_cases::{Case, CaseFile, Expect, load, object};

/// Installs the CRDs and runs every case; the error lists what went wrong. Answers how many cases there were.
pub async fn every_case_holds(client: &Client) -> anyhow::Result<usize> {
    let files = load();
    install(client, loosened()).await?;
    for_each(
        &files,
        async |file, case, name| {
            if case.stored_before_rules { store(client, file, case, name).await } else { Ok(()) }
        },
    )
    .await?;
    install(client, berth::api::crds()).await?;
    wait_for_rules(client, &files).await?;
    for_each(&files, async |file, case, name| run(client, file, case, name).await).await
}

async fn for_each(
    files: &[(String, CaseFile)],
    run: impl AsyncFn(&CaseFile, &Case, &str) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let (mut count, mut wrong) = (0, Vec::new());
    for (file_name, file) in files {
        let stem = file_name.trim_end_matches(".yaml");
        for (number, case) in file.cases.iter().enumerate() {
            count += 1;
            if let Err(error) = run(file, case, &format!("{stem}-{number}")).await {
                let why = case.only_server.as_deref().unwrap_or("judged alike without a server");
                wrong.push(format!("{file_name}: {} ({why}): {error:#}", case.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(count)
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("berth.dev", "v1alpha1", kind));
    match kind {
        "InstancePlacement" => Api::namespaced_with(client.clone(), "default", &resource),
        _ => Api::all_with(client.clone(), &resource),
    }
}

fn dynamic(value: Value) -> anyhow::Result<DynamicObject> {
    Ok(serde_json::from_value(value)?)
}

async fn install(client: &Client, crds: Vec<Value>) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in crds {
        let name = crd["metadata"]["name"].as_str().context("a CRD has a name")?.to_owned();
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&crd)).await?;
        for _ in 0..300 {
            let conditions = api.get(&name).await?.status.and_then(|status| status.conditions);
            if conditions.iter().flatten().any(|c| c.type_ == "Established" && c.status == "True") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// The CRDs as they would be without any rule or bound.
fn loosened() -> Vec<Value> {
    fn loosen(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, value| match key.as_str() {
                    "x-kubernetes-validations" => !value.is_array(),
                    "maxLength" | "minLength" | "maxItems" | "minimum" | "maximum" => !value.is_number(),
                    "pattern" => !value.is_string(),
                    _ => true,
                });
                map.values_mut().for_each(loosen);
            }
            Value::Array(list) => list.iter_mut().for_each(loosen),
            _ => {}
        }
    }
    let mut crds = berth::api::crds();
    crds.iter_mut().for_each(loosen);
    crds
}

/// A changed CRD takes effect a moment after it was accepted.
async fn wait_for_rules(client: &Client, files: &[(String, CaseFile)]) -> anyhow::Result<()> {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    for (name, file) in files {
        let Some(case) = file.cases.iter().find(|case| refused_on_create(case)) else { continue };
        let spec = case.spec.as_ref().context("a create has a spec")?;
        let probe = dynamic(object(&file.kind, "probe", spec, None))?;
        let mut tries = 0;
        while api(client, &file.kind).create(&dry_run, &probe).await.is_ok() {
            tries += 1;
            ensure!(tries < 300, "{name}: {}: still accepted after 30 s", case.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

fn refused_on_create(case: &Case) -> bool {
    case.stored.is_none() && matches!(case.expect, Expect::Refused(_))
}

async fn store(client: &Client, file: &CaseFile, case: &Case, name: &str) -> anyhow::Result<()> {
    let api = api(client, &file.kind);
    let stored = case.stored.as_ref().context("nothing is stored")?;
    let made =
        api.create(&PostParams::default(), &dynamic(object(&file.kind, name, &stored.spec, None))?).await?;
    if file.kind != "PlacementClass" {
        // Before anybody wrote a status, waiters must already see that nothing was observed.
        ensure!(made.data["status"] == json!({"observedGeneration": -1}), "new: {}", made.data);
    }
    if let Some(status) = &stored.status {
        let mut placed = made;
        placed.data["status"] = status.clone();
        api.replace_status(name, &PostParams::default(), &placed).await?;
    }
    Ok(())
}

async fn run(client: &Client, file: &CaseFile, case: &Case, name: &str) -> anyhow::Result<()> {
    let api = api(client, &file.kind);
    let params = PostParams::default();
    if case.stored.is_some() && !case.stored_before_rules {
        store(client, file, case, name).await.context("what is stored")?;
    }
    let result = match (&case.spec, &case.status) {
        (Some(spec), _) if case.stored.is_none() => {
            api.create(&params, &dynamic(object(&file.kind, name, spec, None))?).await
        }
        (Some(spec), _) => {
            let mut object = api.get(name).await?;
            object.data["spec"] = spec.clone();
            api.replace(name, &params, &object).await
        }
        (None, Some(status)) => {
            let mut object = api.get(name).await?;
            object.data["status"] = status.clone();
            api.replace_status(name, &params, &object).await
        }
        (None, None) => bail!("nothing to do"),
    };
    match (&case.expect, result) {
        (Expect::Accepted, Ok(_)) => Ok(()),
        (Expect::Refused(text), Err(kube::Error::Api(status))) if status.message.contains(text) => Ok(()),
        (expected, Ok(object)) => bail!("expected {expected:?}, got {}", object.data),
        (expected, Err(kube::Error::Api(status))) => bail!("expected {expected:?}, got {}", status.message),
        (_, Err(error)) => Err(error.into()),
    }
}
