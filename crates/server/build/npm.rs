//! Installs the packages of `assets/package-lock.json` when they are missing or older than the lock file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The `node_modules` folder that matches the lock file.
///
/// # Errors
/// A sentence for the person at the terminal: npm is missing, or it could not install.
pub(crate) fn modules(assets: &Path) -> Result<PathBuf, String> {
    let modules = assets.join("node_modules");
    let stamp = modules.join(".installed-from");
    let lock = fs::read_to_string(assets.join("package-lock.json"))
        .map_err(|e| format!("cannot read assets/package-lock.json: {e}"))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(modules);
    }
    let output = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
        .current_dir(assets)
        .output()
        .map_err(|e| {
            format!(
                "the web pages need the style sheet and icons from npm, but npm could not be started ({e}). \
                 Install Node.js with npm (Debian: apt-get install npm), or run ./run, which does it, and build again."
            )
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(3)
            .collect::<Vec<_>>();
        return Err(format!("`npm ci` in {} failed: {}", assets.display(), last.join(" / ")));
    }
    fs::write(&stamp, lock).map_err(|e| format!("cannot write {}: {e}", stamp.display()))?;
    Ok(modules)
}
