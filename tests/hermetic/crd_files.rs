//! `crds/` is what the types say.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")
}

/// The schemas in `crds/`, by kind.
pub fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    for file in berth::api::crd_files().unwrap() {
        let text = std::fs::read_to_string(folder().join(&file.name)).unwrap();
        let crd: Value = serde_saphyr::from_str(&text).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        schemas.insert(kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone());
    }
    schemas
}

#[test]
fn the_files_are_up_to_date() {
    let files = berth::api::crd_files().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut expected: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    expected.sort();
    assert_eq!(names, expected, "files in crds/");
    for file in files {
        let text = std::fs::read_to_string(folder().join(&file.name)).unwrap();
        assert!(
            text == file.text,
            "crds/{} is not what the types say; write it anew with: cargo run -- crd --output-dir crds",
            file.name
        );
        assert!(text.len() < 200_000, "{} is too large for client-side apply", file.name);
    }
}

#[test]
fn the_command_writes_files_and_a_stream() {
    let berth = || std::process::Command::new(env!("CARGO_BIN_EXE_berth"));
    let output = berth().arg("crd").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stream = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stream, berth::api::crds_yaml().unwrap());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(documents, berth::api::crds());

    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/folder");
    let status = berth().arg("crd").arg("--output-dir").arg(&target).status().unwrap();
    assert!(status.success());
    for file in berth::api::crd_files().unwrap() {
        assert_eq!(std::fs::read_to_string(target.join(&file.name)).unwrap(), file.text);
    }
}
