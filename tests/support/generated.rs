//! Compares a committed text with the one that its source of truth gives now.

use std::fs;
use std::path::Path;

/// Fails when they differ, and leaves the new text where the failure says.
///
/// # Panics
/// When they differ.
pub fn compare(committed: &str, generated: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = fs::read_to_string(root.join(committed)).unwrap_or_default();
    if found == generated {
        return;
    }
    let new = format!("target/generated/{committed}");
    fs::create_dir_all(root.join(&new).parent().unwrap()).unwrap();
    fs::write(root.join(&new), generated).unwrap();
    panic!("{committed} is not what its source says: cp {new} {committed}");
}

/// A text as the cell of a table.
pub fn cell(text: &str) -> String {
    text.trim().replace('|', r"\|").replace('\n', " ")
}
