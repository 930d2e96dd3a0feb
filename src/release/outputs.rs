//! What a build left behind, taken away before the next one: a file that a build no longer makes must not stay.

use super::checkout::{CheckoutError, tracked};
use super::walk::bytes;
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The file that marks a folder as a cache, for cargo and others.
const CACHE: &str = "CACHEDIR.TAG";

/// How the names of TypeScript's notes end.
const NOTES: &[u8] = b".tsbuildinfo";

/// Empties the folders (below `dir`, the app's folder) that a build fills. Tracked files stay, and so do caches: a folder
/// with a `CACHEDIR.TAG` and all in it, and `cache` or `.cache` directly in an output. What TypeScript notes about the
/// files that it made (`*.tsbuildinfo`) goes with them, or it would not make them again.
pub fn clear_outputs(
    slot: &Path,
    dir: &str,
    outputs: &[String],
    index_file: &Path,
) -> Result<(), CheckoutError> {
    let slot = Folder::open(slot)?;
    let app = match dir {
        "." => Path::new(""),
        dir => Path::new(dir),
    };
    let places: Vec<PathBuf> = outputs
        .iter()
        .map(|output| app.join(output).components().collect())
        .collect();
    // A repository can have any number of files elsewhere.
    let tracked = tracked(index_file, |path| {
        let in_place = |place: &PathBuf| Path::new(OsStr::from_bytes(path)).starts_with(place);
        path.ends_with(NOTES) || places.iter().any(in_place)
    })?;
    for path in &places {
        if path == app || is_in_a_cache(&slot, path)? {
            continue;
        }
        if let Some(folder) = slot.beneath(path)? {
            clear(&folder, &mut bytes(path).to_vec(), &tracked, true)?;
        }
    }
    let Some(home) = slot.beneath(app)? else {
        return Ok(());
    };
    for entry in home.entries()? {
        let is_notes = entry.name.as_bytes().ends_with(NOTES);
        if is_notes && !tracked.contains(bytes(&app.join(&entry.name))) {
            home.remove_unless_folder(&entry.name)?;
        }
    }
    Ok(())
}

fn is_in_a_cache(slot: &Folder, path: &Path) -> Result<bool, FileError> {
    for above in path.ancestors() {
        if let Some(folder) = slot.beneath(above)?
            && folder.stat(OsStr::new(CACHE))?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes everything in a folder that neither is tracked nor a cache; says whether anything stayed.
fn clear(
    folder: &Folder,
    path: &mut Vec<u8>,
    tracked: &HashSet<Vec<u8>>,
    top: bool,
) -> Result<bool, FileError> {
    if folder.stat(OsStr::new(CACHE))?.is_some() {
        return Ok(true);
    }
    let mut left = false;
    for entry in folder.entries()? {
        let length = path.len();
        path.push(b'/');
        path.extend_from_slice(entry.name.as_bytes());
        let is_cache = top && (entry.name == "cache" || entry.name == ".cache");
        let stays = if tracked.contains(path.as_slice()) || is_cache {
            true
        } else if entry.kind == EntryKind::Folder {
            let within = clear(&folder.folder(&entry.name)?, path, tracked, false)?;
            within || !folder.remove_if_empty(&entry.name)?
        } else {
            folder.remove(&entry.name)?;
            false
        };
        left |= stays;
        path.truncate(length);
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Mode;
    use crate::release::checkout;
    use crate::system::git::testing::{bare, commit, files};
    use std::fs;

    #[test]
    fn what_a_build_made_goes_and_what_is_tracked_or_a_cache_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let repo = bare(&at("r.git"));
        fs::create_dir(at("slot")).unwrap();
        let list = [("web/dist/.keep", ""), ("web/src", "1")];
        let tree = commit(&repo, &files(&list), "x", None);
        let index = at("meta/index");
        checkout(&repo, &tree, &at("slot"), &index, Mode::Fast).unwrap();
        for path in [
            "dist/a/old.js",
            "dist/cache/x",
            "dist/sub/deep/y",
            "target/release/app",
            "tsconfig.tsbuildinfo",
            "notes",
        ] {
            let path = at("slot/web").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::write(at("slot/web/target/CACHEDIR.TAG"), "").unwrap();
        let outputs = ["dist", "target/release", "gone"].map(str::to_owned);
        clear_outputs(&at("slot"), "web", &outputs, &index).unwrap();
        let left = |path: &str| at("slot/web").join(path).exists();
        for stays in [
            "dist/.keep",
            "dist/cache/x",
            "target/release/app",
            "notes",
            "src",
        ] {
            assert!(left(stays), "{stays}");
        }
        for goes in ["dist/a", "dist/sub", "tsconfig.tsbuildinfo"] {
            assert!(!left(goes), "{goes}");
        }
    }
}
