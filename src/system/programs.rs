//! The versions of programs on this machine.

use super::users;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What a program answered to `--version`, by its file and that file's age: asking node takes longer than all of Teal's
/// own work in a small deployment.
static KNOWN: Mutex<Option<HashMap<(PathBuf, SystemTime), String>>> = Mutex::new(None);

/// The first line of `<program> --version`; nothing when it is not installed or does not answer.
pub fn version(program: &str) -> Option<String> {
    let file = find(program)?;
    let changed = file.metadata().and_then(|facts| facts.modified()).ok()?;
    let key = (file, changed);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(version) = known.get(&key) {
        return Some(version.clone());
    }
    let version = ask(&key.0)?;
    known.insert(key, version.clone());
    Some(version)
}

/// Where the program is, on the server's search path.
pub fn find(program: &str) -> Option<PathBuf> {
    users::search_path()
        .split(':')
        .map(|dir| Path::new(dir).join(program))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok())
}

fn ask(file: &Path) -> Option<String> {
    let mut command = Command::new(file);
    // Go alone has no such flag.
    command.arg(if file.ends_with("go") {
        "version"
    } else {
        "--version"
    });
    command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .env_clear()
        .env("PATH", users::search_path());
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next()?.trim().to_owned())
}
