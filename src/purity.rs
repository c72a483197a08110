//! The rule that the core is pure, as a test: what each module may use, and what none may.
//!
//! It reads the sources as text. Tests within them are left out: they may use what they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the core, the roots of paths that each may `use`, and what of ours it may name.
const CORE: [(&str, &[&str], &[&str]); 9] = [
    ("api", &["jiff", "k8s_openapi", "kube", "schemars", "serde", "serde_json"], &["api"]),
    (
        "manifests",
        &["kube", "regex", "serde", "serde_json", "serde_saphyr"],
        &["api", "manifests", "objects"],
    ),
    ("placement", &["jiff", "regex", "sha2", "thiserror"], &["api", "placement"]),
    (
        "objects",
        &["jiff", "k8s_openapi", "kube", "serde", "serde_json", "thiserror"],
        &["api", "objects", "scheduler"],
    ),
    (
        "recording",
        &["comfy_table", "jiff", "serde", "serde_json", "thiserror", "url", "uuid"],
        &["columns", "objects", "placement", "recording"],
    ),
    ("resolve", &["jiff"], &["api", "placement", "resolve"]),
    ("status", &["jiff", "serde", "serde_json", "uuid"], &["api", "placement", "resolve", "status"]),
    ("scheduler", &["jiff", "serde", "serde_json"], &["api", "placement", "resolve", "scheduler", "status"]),
    (
        "plan",
        &[
            "anstyle",
            "base64",
            "comfy_table",
            "jiff",
            "k8s_openapi",
            "maud",
            "miniz_oxide",
            "serde",
            "serde_json",
            "serde_saphyr",
            "sha2",
            "thiserror",
        ],
        &["api", "columns", "manifests", "objects", "placement", "plan", "recording", "scheduler", "status"],
    ),
];

/// Parts of the standard library that are values and containers with an order.
const STD: [&str; 17] = [
    "borrow",
    "cmp",
    "collections",
    "convert",
    "error",
    "fmt",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "str",
    "string",
    "sync",
    "time",
    "vec",
];

/// Words that a pure module has no use for. Of `std::time` only `Duration` is left by them.
const FORBIDDEN: [&str; 18] = [
    "HashMap",
    "HashSet",
    "Instant",
    "RandomState",
    "SystemTime",
    "async",
    "await",
    "dbg",
    "env",
    "eprint",
    "eprintln",
    "fs",
    "net",
    "print",
    "println",
    "process",
    "tokio",
    "tracing",
];

#[test]
fn the_core_is_pure() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut files = 0;
    for (module, roots, ours) in CORE {
        for path in rust_files(&source.join(module)) {
            files += 1;
            let relative = path.strip_prefix(&source).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let complaints = complaints(&text, depth(relative), roots, ours);
            found.extend(complaints.into_iter().map(|c| format!("{}: {c}", relative.display())));
        }
    }
    assert!(files > 10, "the sources were found");
    assert!(found.is_empty(), "the core is not pure:\n{}", found.join("\n"));
}

/// The test can fail: each of these lines is found.
#[test]
fn impurity_is_found() {
    let complaints_about = |text: &str| complaints(text, 1, &["regex"], &["api", "placement"]);
    for impure in [
        "use tokio::time;",
        "pub use kube::Client;",
        "pub(super) use reqwest;",
        "use {regex::Regex, reqwest::Url};",
        "use std::{fmt, thread};",
        "use std::fs;",
        "use crate::vsphere::Session;",
        "use crate::{api, controller};",
        "use super::super::controller;",
        "use super::{super::super::controller};",
        "let at = Timestamp::now();",
        "let seen: HashMap<u8, u8> = a;",
        "let seen = std::collections::HashSet::<u8>::new();",
        "async fn decide() {}",
        "tracing::info!(\"decided\");",
        "let at = std::time::Instant::elapsed(at);",
        "let x = crate::controller::run();",
        "let x = /* a remark */ std::env::var(\"HOME\");",
    ] {
        assert_ne!(complaints_about(impure), Vec::<String>::new(), "{impure}");
    }
    for pure in [
        "use std::collections::BTreeMap;",
        "use std::{fmt, sync::Arc};",
        "use regex::{Regex, RegexBuilder};",
        "use super::{text, vvol};",
        "use crate::api::{self, RejectionCode};",
        "// use tokio::time; as in async code, HashMap::now()",
        "let said = \"async HashMap ::now(\";",
        "#[cfg(test)]\nmod tests {\n    use tokio::time;\n}",
        "#[cfg(test)]\nmod tests;",
    ] {
        assert_eq!(complaints_about(pure), Vec::<String>::new(), "{pure}");
    }
    let after = "#[cfg(test)]\nmod tests;\nuse tokio::time;";
    assert_eq!(complaints_about(after).len(), 2, "what follows a declaration of tests is read");
    assert_eq!(complaints("use super::controller;", 0, &[], &[]).len(), 1, "the top of a module");
}

/// Files below a module, without the folders and files of its tests.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    // A module of the core that is not written yet has no folder.
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_test = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "tests");
    paths
        .into_iter()
        .filter(|path| !is_test(path))
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// How many times `super` stays within the module: `api/mod.rs` 0, `api/reason.rs` 1.
fn depth(relative: &Path) -> usize {
    let folders = relative.components().count() - 1;
    if relative.ends_with("mod.rs") { folders - 1 } else { folders }
}

fn complaints(text: &str, depth: usize, roots: &[&str], ours: &[&str]) -> Vec<String> {
    let code = code_of(text);
    let mut complaints = Vec::new();
    for path in used_paths(&code) {
        let mut parts = path.split("::");
        let (root, next) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let ups = path.split("::").take_while(|part| *part == "super").count();
        let allowed = match root {
            "std" => STD.contains(&next),
            "crate" => ours.contains(&next),
            "super" => ups <= depth,
            "self" => true,
            _ => roots.contains(&root) || code.contains(&format!("mod {root};")),
        };
        if !allowed {
            complaints.push(format!("uses {path}"));
        }
    }
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    complaints
        .extend(FORBIDDEN.iter().filter(|word| words.contains(*word)).map(|word| format!("says {word}")));
    if code.contains("::now(") {
        complaints.push("reads a clock".to_owned());
    }
    for (at, _) in code.match_indices("crate::") {
        let named: String =
            code[at + "crate::".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !named.is_empty() && !ours.contains(&named.as_str()) {
            complaints.push(format!("names crate::{named}"));
        }
    }
    complaints
}

/// The text without comments, what is in quotation marks, and modules of tests.
fn code_of(text: &str) -> String {
    let mut lines = Vec::new();
    let mut all = text.lines().peekable();
    while let Some(line) = all.next() {
        if line.trim() == "#[cfg(test)]"
            && let Some(tests) = all.next_if(|next| next.trim_start().starts_with("mod "))
        {
            // Clippy lets nothing follow a module of tests.
            if tests.ends_with('{') {
                break;
            }
            continue;
        }
        let quoted = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        lines.push(quoted.split("//").next().unwrap_or_default().to_owned());
    }
    lines.join("\n")
}

/// Every path of every `use`, groups written out. Each begins its own line, as rustfmt leaves them.
fn used_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some((line, below)) = rest.split_once('\n').or((!rest.is_empty()).then_some((rest, ""))) {
        let unrestricted = line.trim_start().trim_start_matches("pub");
        let declaration = match unrestricted.strip_prefix('(').and_then(|scope| scope.split_once(')')) {
            Some((_, declaration)) => declaration,
            None => unrestricted,
        };
        if declaration.trim_start().starts_with("use ") {
            let tree = rest.split_once("use ").map_or("", |(_, tree)| tree);
            write_out("", tree.split(';').next().unwrap_or_default(), &mut paths);
        }
        rest = below;
    }
    paths
}

fn write_out(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((before, group)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{}", tree.trim()));
        return;
    };
    let prefix = format!("{prefix}{}", before.trim());
    let group = group.rsplit_once('}').map_or(group, |(inside, _)| inside);
    let mut level = 0;
    for part in group.split(|c| {
        level += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && level == 0
    }) {
        if !part.trim().is_empty() {
            write_out(&prefix, part.trim(), paths);
        }
    }
}
