//! Argo CD's health checks in a real Lua, as Argo CD runs them: version 5.1, with nothing but the basic functions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mlua::{Lua, LuaOptions, LuaSerdeExt as _, StdLib};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::statuses::{KINDS, folder};

/// `health_test.yaml`, as Argo CD's own tests read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HealthTest {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    health_status: HealthStatus,
    input_path: String,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthStatus {
    status: String,
    message: String,
}

/// What the health check of a kind says of an object.
fn health(kind: &str, object: &Value) -> mlua::Result<HealthStatus> {
    let script = fs::read_to_string(folder(kind).join("health.lua")).unwrap();
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default())?;
    lua.globals().set("obj", lua.to_value(object)?)?;
    lua.from_value(lua.load(script).set_name("health.lua").eval()?)
}

#[test]
fn every_case_of_the_health_tests_holds() {
    for kind in KINDS {
        let text = fs::read_to_string(folder(kind).join("health_test.yaml")).unwrap();
        let HealthTest { tests } = serde_saphyr::from_str(&text).unwrap();
        let mut seen = BTreeSet::new();
        for case in &tests {
            let object = fs::read_to_string(folder(kind).join(&case.input_path)).unwrap();
            let health = health(kind, &serde_saphyr::from_str(&object).unwrap()).unwrap();
            assert_eq!(health, case.health_status, "{kind}: {}", case.input_path);
            seen.insert(health.status);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Degraded", "Healthy", "Progressing"], "{kind}");
    }
}

/// Objects that no Berth wrote, or none yet.
#[test]
fn what_is_not_there_yet_is_progressing() {
    let metadata = json!({"name": "web", "generation": 2});
    let ready = json!({"type": "Ready", "status": "True", "reason": "Placed", "message": "selected a"});
    for (what, object) in [
        ("no status", json!({"metadata": metadata})),
        ("an empty status", json!({"metadata": metadata, "status": {}})),
        ("no conditions", json!({"metadata": metadata, "status": {"observedGeneration": 2}})),
        (
            "an old generation",
            json!({"metadata": metadata, "status": {"observedGeneration": 1, "conditions": [ready]}}),
        ),
        ("no generation", json!({"metadata": metadata, "status": {"conditions": [ready]}})),
    ] {
        for kind in KINDS {
            assert_eq!(health(kind, &object).unwrap().status, "Progressing", "{what}");
        }
    }
}

/// An administrator who has no newer Argo CD pastes the scripts into its configuration.
#[test]
fn the_configuration_for_argo_cd_has_the_same_scripts() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gitops/argocd/argocd-cm.yaml"))
            .unwrap();
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    let data = config["data"].as_object().unwrap();
    assert_eq!(data.len(), KINDS.len());
    for kind in KINDS {
        let script = fs::read_to_string(folder(kind).join("health.lua")).unwrap();
        assert_eq!(data[&format!("resource.customizations.health.berth.dev_{kind}")], script, "{kind}");
    }
}
