//! Programs without which a part of the tests is left out, as the Makefile wants it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The program of this name. Without it, `part` of the tests is named as skipped and there is none; strict runs
/// fail. `package` is Debian's package that has it.
pub fn program(name: &str, package: &str, part: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skip(name, package, part);
    }
    found
}

fn skip(name: &str, package: &str, part: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let strict = std::env::var("BERTH_STRICT").is_ok_and(|strict| !["", "0"].contains(&strict.as_str()));
    assert!(!strict, "missing: {name} (Debian package {package})");
    let line = format!("{part} ({name})");
    if SAID.lock().unwrap().insert(line.clone()) {
        println!("SKIPPED {line}");
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        std::fs::create_dir_all(&target).unwrap();
        let file = OpenOptions::new().create(true).append(true).open(target.join("skipped"));
        writeln!(file.unwrap(), "{line}").unwrap();
    }
}
