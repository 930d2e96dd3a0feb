//! Who owns what in an environment whose commands and services run as a user of their own: that user owns the slot and
//! what is shared, everybody else may only read; Teal's own files in `shared/` stay Teal's.

use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder, Owner};
use std::ffi::OsStr;
use std::path::Path;

/// Gives a slot to the user, with everything in it.
pub fn give_slot(slot: &Path, to: Owner) -> Result<(), FileError> {
    let folder = Folder::open(slot)?;
    folder.give_itself(to)?;
    give_inside(&folder, to)
}

/// Lets the user keep files in `shared/`, and gives them those that releases link to. Nobody can remove or replace in there
/// what is not theirs: the logs of the services are Teal's.
pub fn give_shared(shared: &Path, links: &[String], to: Owner) -> Result<(), FileError> {
    let folder = Folder::open(shared)?;
    folder.share_with_group(to)?;
    for link in links.iter().map(String::as_str).chain([".env"]) {
        let mut parts: Vec<&str> = link
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        let Some(last) = parts.pop() else { continue };
        let mut above = Folder::open(shared)?;
        let mut is_there = true;
        for part in parts {
            match above.folder_if_there(OsStr::new(part))? {
                Some(next) => {
                    next.give_itself(to)?;
                    above = next;
                }
                None => {
                    is_there = false;
                    break;
                }
            }
        }
        if is_there {
            give_kept(&above, OsStr::new(last), to)?;
        }
    }
    Ok(())
}

/// What grows over the years is not gone through again once it is the user's.
fn give_kept(above: &Folder, name: &OsStr, to: Owner) -> Result<(), FileError> {
    let Some(stat) = above.stat(name)? else {
        return Ok(());
    };
    if stat.st_uid == to.uid {
        return Ok(());
    }
    if EntryKind::of_mode(stat.st_mode) == EntryKind::Folder {
        give_inside(&above.folder(name)?, to)?;
    }
    above.give(name, to)
}

fn give_inside(folder: &Folder, to: Owner) -> Result<(), FileError> {
    for entry in folder.entries()? {
        if entry.kind == EntryKind::Folder {
            // It may have become something else meanwhile; then there is nothing inside.
            if let Some(inside) = folder.folder_if_there(&entry.name)? {
                give_inside(&inside, to)?;
            }
        }
        folder.give(&entry.name, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    /// Only root can give anything away.
    #[allow(clippy::print_stderr, reason = "a test that is left out says so")]
    fn somebody() -> Option<Owner> {
        if !nix::unistd::getuid().is_root() {
            eprintln!("skipped: only root can give files away");
            return None;
        }
        Some(Owner {
            uid: 54321,
            gid: 54322,
        })
    }

    #[test]
    fn a_slot_is_given_whole_and_nothing_outside_of_it() {
        let Some(to) = somebody() else { return };
        let dir = tempfile::tempdir().unwrap();
        let slot = dir.path().join("slot");
        fs::create_dir_all(slot.join("a/b")).unwrap();
        fs::write(slot.join("a/b/file"), "x").unwrap();
        fs::write(dir.path().join("outside"), "x").unwrap();
        symlink("../outside", slot.join("link")).unwrap();
        symlink("..", slot.join("a/up")).unwrap();
        give_slot(&slot, to).unwrap();
        for name in ["", "a", "a/b", "a/b/file", "link", "a/up"] {
            let facts = fs::symlink_metadata(slot.join(name)).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (to.uid, to.gid), "{name}");
        }
        for name in ["", "outside"] {
            assert_eq!(
                fs::metadata(dir.path().join(name)).unwrap().uid(),
                0,
                "{name}"
            );
        }
    }

    #[test]
    fn a_file_that_has_another_name_elsewhere_is_not_given_away() {
        let Some(to) = somebody() else { return };
        let dir = tempfile::tempdir().unwrap();
        let slot = dir.path().join("slot");
        fs::create_dir(&slot).unwrap();
        fs::write(dir.path().join("shadow"), "x").unwrap();
        fs::hard_link(dir.path().join("shadow"), slot.join("mine")).unwrap();
        let error = give_slot(&slot, to).unwrap_err();
        assert!(error.to_string().contains("mine"), "{error}");
        assert_eq!(fs::metadata(dir.path().join("shadow")).unwrap().uid(), 0);
    }

    #[test]
    fn what_is_shared_becomes_the_users_and_the_logs_stay() {
        let Some(to) = somebody() else { return };
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        fs::create_dir_all(shared.join("data/uploads")).unwrap();
        fs::write(shared.join("data/uploads/1"), "x").unwrap();
        fs::write(shared.join("blue-service.log"), "x").unwrap();
        fs::write(shared.join(".env"), "A=1").unwrap();
        give_shared(
            &shared,
            &["data/uploads".to_owned(), "later.db".to_owned()],
            to,
        )
        .unwrap();
        let of = |name: &str| fs::metadata(shared.join(name)).unwrap();
        assert_eq!((of("").uid(), of("").gid()), (0, to.gid));
        assert_eq!(of("").mode() & 0o7777, 0o1775);
        assert_eq!(of("data/uploads/1").uid(), to.uid);
        assert_eq!(of(".env").uid(), to.uid);
        assert_eq!(of("blue-service.log").uid(), 0);
    }
}
