//! Files of the repository that are made from the code.

use std::path::Path;

/// Compares a file with what it should be; the failure says how to take the new text over.
pub fn is_up_to_date(path: &str, text: &str) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::fs::read_to_string(repository.join(path)).is_ok_and(|stored| stored == text) {
        return;
    }
    let fresh = Path::new("target/generated").join(Path::new(path).file_name().unwrap());
    std::fs::create_dir_all(repository.join("target/generated")).unwrap();
    std::fs::write(repository.join(&fresh), text).unwrap();
    panic!("{path} is not what the code says; look at the difference, then: cp {} {path}", fresh.display());
}
