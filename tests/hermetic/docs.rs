//! The examples of `docs/`: what a reader copies has to work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth::manifests::{Reader, Source};
use serde_json::Value;

use crate::statuses::{Outcome, committed, outcome};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The YAML of a file: all of it, or the blocks of a page that say they are.
fn yaml(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml") => vec![text],
        Some("md") => blocks(&text),
        _ => Vec::new(),
    }
}

/// The blocks of a page that say they are YAML, which may stand within a list.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(begin) = lines.find(|line| line.trim_start() == "```yaml") {
        let indent = begin.len() - begin.trim_start().len();
        let inside = lines.by_ref().take_while(|line| line.trim_start() != "```");
        let inside: Vec<_> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
        blocks.push(inside.join("\n"));
    }
    blocks
}

/// The objects of Berth's kinds in a value, also those that stand inside of others, as in a composition.
fn own(value: &Value) -> Vec<&Value> {
    let is_own = value["apiVersion"].as_str().is_some_and(|version| version.starts_with("berth.dev/"))
        && value.get("spec").is_some();
    let inside: Vec<_> = match value {
        Value::Object(fields) => fields.values().flat_map(own).collect(),
        Value::Array(items) => items.iter().flat_map(own).collect(),
        _ => Vec::new(),
    };
    is_own.then_some(value).into_iter().chain(inside).collect()
}

#[test]
fn every_example_is_yaml_and_berths_objects_hold_the_schema() {
    let reader = Reader::new().unwrap();
    let (mut documents, mut objects) = (0, 0);
    for path in files(&docs()) {
        for text in yaml(&path) {
            for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
                documents += 1;
                for object in own(&document) {
                    objects += 1;
                    let mut object = object.clone();
                    // Whoever wraps an object names it.
                    if object["metadata"].is_null() {
                        object["metadata"] = serde_json::json!({"name": "wrapped"});
                    }
                    let name = path.display().to_string();
                    let reading = reader.read(&Source { name, text: object.to_string() });
                    assert_eq!(reading.problems, [], "{object:#}");
                    assert_eq!(reading.manifests.len(), 1, "{object:#}");
                }
            }
        }
    }
    assert!(documents >= 45 && objects >= 30, "{documents} documents, {objects} objects");
}

/// In the order in which Flux asks them, of statuses whose generation was observed (`runtime/cel` of fluxcd/pkg).
#[test]
fn the_expressions_for_flux_say_what_kstatus_says() {
    let text = fs::read_to_string(docs().join("gitops/flux/kustomizations.yaml")).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let checks = documents.iter().find_map(|document| document["spec"].get("healthCheckExprs")).unwrap();
    let holds = |expression: &str, status: &Value| {
        let mut context = cel::Context::default();
        context.add_variable("status", status).unwrap();
        let program = cel::Program::compile(checks[0][expression].as_str().unwrap()).unwrap();
        program.execute(&context).unwrap() == cel::Value::Bool(true)
    };
    for (name, object) in committed("InstancePlacement") {
        let status = &object["status"];
        if status["observedGeneration"] != object["metadata"]["generation"] {
            continue;
        }
        let said = match (holds("failed", status), holds("current", status)) {
            (true, _) => Outcome::Failed,
            (_, true) => Outcome::Current,
            _ => Outcome::InProgress,
        };
        assert_eq!(said, outcome(&object).unwrap(), "{name}");
    }
}

/// The pages for readers.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = ["README.md", "CONTRIBUTING.md", "charts/berth/README.md"].map(|name| root.join(name));
    let docs = files(&docs()).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md"));
    own.into_iter().chain(docs).collect()
}

/// The places in a page that can be linked to, as GitHub names them: headings and written anchors.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    });
    let written = page.split("<a id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    headings.chain(written).collect()
}

/// What a page links to is there, also within a page.
#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // Every other part is code.
        let prose: String = text.split('`').step_by(2).collect();
        for link in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(target).unwrap());
                assert!(there.iter().any(|name| name == anchor), "{}: {link}", page.display());
            }
        }
    }
    assert!(links >= 50, "{links} links");
}

/// The script of a step of the example workflow.
fn script(step: &str) -> String {
    let text = fs::read_to_string(docs().join("gitops/pull-request/workflow.yaml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();
    let steps = workflow["jobs"]["plan"]["steps"].as_array().unwrap();
    steps.iter().find(|found| found["name"] == step).unwrap()["run"].as_str().unwrap().to_owned()
}

/// Runs the check on these manifests: its exit code, and what it shows.
fn check(manifests: &str) -> (Option<i32>, String) {
    let (folder, root) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let at = |name: &str| folder.path().join(name);
    for sub in ["bin", "inventory", "manifests"] {
        fs::create_dir(at(sub)).unwrap();
    }
    fs::write(at("manifests/all.yaml"), manifests).unwrap();
    fs::write(at("inventory/placed.yaml"), "apiVersion: v1\nkind: List\nitems: []\n").unwrap();
    for name in ["cluster.yaml", "vc-east.json"] {
        fs::copy(root.join("tests/plan").join(name), at("inventory").join(name)).unwrap();
    }
    // `kubectl kustomize` of a folder without patches.
    fs::write(at("bin/kubectl"), "#!/bin/sh\nset -e\n[ \"$1\" = kustomize ]\ncat \"$2\"/*.yaml\n").unwrap();
    let mut executable = fs::metadata(at("bin/kubectl")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut executable, 0o755);
    fs::set_permissions(at("bin/kubectl"), executable).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_berth"), at("bin/berth")).unwrap();
    let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script("Plan")])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("GITHUB_STEP_SUMMARY", at("summary.md"))
        .output()
        .unwrap();
    (output.status.code(), fs::read_to_string(at("summary.md")).unwrap())
}

fn placement(size: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: InstancePlacement\nmetadata: {{name: web-01, namespace: team-a}}\n\
         spec: {{rootDisk: {{size: {size}}}}}\n"
    )
}

#[test]
fn the_pull_request_check_tells_what_fits_from_what_does_not() {
    let (code, summary) = check(&placement("1Gi"));
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.contains("web-01"), "{summary}");
    let (code, summary) = check(&placement("900Ti"));
    assert_eq!(code, Some(2), "{summary}");
    assert!(summary.contains("NoEligibleDatastore"), "{summary}");
    let (code, _) = check(&placement("-1Gi"));
    assert_eq!(code, Some(1));
}
