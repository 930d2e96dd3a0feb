//! Whether the disk has room for a deployment, asked before anything is changed: a full disk in the middle of one is the
//! worse way to find out.

use super::Run;
use super::outcome::{Stop, Trouble};
use super::results::Results;
use super::tools::blocking;
use crate::domain::Step;
use crate::system::folder::Folder;
use std::path::Path;

/// What every deployment needs for logs, its journal and a backup's lists.
const BYTES: u64 = 16 * 1024 * 1024;
const FILES: u64 = 1000;

/// Refuses to begin where the disk is nearly full. What a deployment left in the slot that did not go live makes room
/// first: nobody should have to delete it by hand.
pub(super) async fn look(run: &Run<'_>) -> Result<(), Stop> {
    let Err(trouble) = needed(run) else {
        return Ok(());
    };
    let holds_a_release = run.standing.slots.of(run.color).is_some();
    if holds_a_release || is_empty(run)? {
        return Err(trouble);
    }
    Results::of(run).forget(Step::Deps)?;
    Results::of(run).forget(Step::Build)?;
    let (slots, color) = (run.slots.clone(), run.color);
    blocking(move || Ok(slots.clear(color)?)).await?;
    run.note(format!(
        "{color} was emptied, for the disk is nearly full: it held what did not go live"
    ))
    .await?;
    needed(run)
}

/// A slot that holds nothing yet needs room for a release like the one that serves; otherwise only what changed is
/// written, and how much that is nobody knows before.
fn needed(run: &Run<'_>) -> Result<(), Stop> {
    let (mut bytes, mut files) = (BYTES, FILES);
    let serving = run
        .standing
        .serving()
        .and_then(|release| release.backup.clone());
    if let Some(name) = serving
        && is_empty(run)?
        && let Ok(backup) = run.shelf().find(&name)
    {
        bytes += backup.manifest.bytes;
        files += backup.manifest.files;
    }
    enough(run.slots.root(), bytes, files)?;
    enough(&run.tools.server.state_dir, BYTES, FILES)
}

fn is_empty(run: &Run<'_>) -> Result<bool, Stop> {
    Ok(Folder::open(&run.slot())?.entries()?.is_empty())
}

fn enough(place: &Path, bytes: u64, files: u64) -> Result<(), Stop> {
    let free = Folder::open(place)?.free()?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let told = if free.bytes < bytes {
        let (free, bytes) = (megabytes(free.bytes), megabytes(bytes));
        format!("{free} are free, and the deployment needs {bytes}")
    } else if let Some(left) = free.files.filter(|left| *left < files) {
        format!("{left} more files (inodes) fit on it, and the deployment needs {files}")
    } else {
        return Ok(());
    };
    let place = place.display();
    Err(Trouble::new(format!("the disk of {place} is nearly full: {told}"))
        .next(format!("make room there (df -h {place}; df -i {place}), and push again; `backups` and `backups_size` in teal.toml say how much is kept"))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_bytes_and_too_few_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        enough(dir.path(), 1, 1).unwrap();
        let cause = |bytes, files| match enough(dir.path(), bytes, files) {
            Err(Stop::Failed(trouble)) => trouble.cause,
            other => panic!("{other:?}"),
        };
        assert!(cause(u64::MAX, 1).contains("are free, and the deployment needs"));
        if Folder::open(dir.path())
            .unwrap()
            .free()
            .unwrap()
            .files
            .is_some()
        {
            assert!(cause(1, u64::MAX).contains("(inodes) fit on it"));
        }
    }
}
