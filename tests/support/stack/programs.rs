//! Where the programs of the stack are. Runs the build script, which builds what its cache does not have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::environment::repository;

/// A program of one of the stack's modules, which are the folders of `tests/devstack/go`.
///
/// # Errors
/// When it cannot be built; the script has said why on stderr.
pub fn program(module: &str, name: &str) -> anyhow::Result<PathBuf> {
    let script = repository().join("tests/devstack/build.sh");
    let output = Command::new(&script)
        .args(["--quiet", module])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run build.sh")?;
    ensure!(output.status.success(), "build.sh {module}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let (_, folder) = text.trim().split_once('=').with_context(|| format!("build.sh answered {text:?}"))?;
    let path = Path::new(folder).join(name);
    ensure!(path.is_file(), "{} is missing; remove its folder to build it anew", path.display());
    Ok(path)
}
