//! The lists of a backup. Each is as long as the release has files, and hardly differs from the same list of an earlier
//! backup: it is kept as what differs, beside a second name of the earlier one. So a backup needs no other backup, and grows
//! the disk by what changed.

use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use crate::system::pack::{pack, unpack};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

/// A list of which this part is not as it was is kept whole again: the next ones are compared with it.
const WORTH_A_NEW_ONE: usize = 16;

/// Writes a list into the folder of a backup; `earlier` is the folder of an earlier backup. Not synced.
pub(super) fn write(
    place: &Folder,
    name: &str,
    list: &[u8],
    earlier: Option<&Path>,
) -> Result<(), FileError> {
    let file = place.path().join(name);
    let packed = match earlier {
        Some(earlier) => beside(place, name, list, earlier)?,
        None => None,
    };
    let packed = match packed {
        Some(packed) => packed,
        None => pack(list, None).at("pack", &file)?,
    };
    fs::write(&file, packed).at("write", &file)
}

/// What differs from an earlier backup's list, which gets a second name here; nothing where that is not worth it or cannot
/// be done.
fn beside(
    place: &Folder,
    name: &str,
    list: &[u8],
    earlier: &Path,
) -> Result<Option<Vec<u8>>, FileError> {
    let whole = whole(name);
    let there = match earlier.join(&whole).try_exists() {
        Ok(true) => whole.as_os_str(),
        _ => OsStr::new(name),
    };
    let Ok(Some(known)) = read_whole(&earlier.join(there)) else {
        return Ok(None);
    };
    let packed = pack(list, Some(&known)).at("pack", &place.path().join(name))?;
    let small = packed.len() < list.len() / WORTH_A_NEW_ONE;
    // A file can have only so many names, and some file systems know no second ones.
    let linked = small
        && Folder::open(earlier)
            .is_ok_and(|earlier| place.hard_link(&earlier, there, &whole).is_ok());
    Ok(linked.then_some(packed))
}

/// Reads a list from the folder of a backup; a missing one is nothing, and so is one that is torn.
pub(super) fn read(backup: &Path, name: &str) -> Result<Option<Vec<u8>>, FileError> {
    let Some(packed) = bytes_if_there(&backup.join(name))? else {
        return Ok(None);
    };
    let whole = backup.join(whole(name));
    let known = match whole.try_exists().at("look at", &whole)? {
        true => read_whole(&whole)?,
        false => None,
    };
    Ok(unpack(packed, known.as_deref()).ok())
}

fn read_whole(file: &Path) -> Result<Option<Vec<u8>>, FileError> {
    Ok(bytes_if_there(file)?.and_then(|packed| unpack(packed, None).ok()))
}

fn bytes_if_there(file: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("read", file),
    }
}

/// The second name of the list that a list is kept beside.
fn whole(name: &str) -> OsString {
    OsString::from(format!("{name}.earlier"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    struct World(tempfile::TempDir);

    impl World {
        fn write(&self, backup: &str, list: &[u8], earlier: Option<&str>) {
            let place = Folder::open(self.0.path()).unwrap();
            let place = place.make_folder(OsStr::new(backup)).unwrap();
            let earlier = earlier.map(|earlier| self.0.path().join(earlier));
            write(&place, "files", list, earlier.as_deref()).unwrap();
        }

        fn read(&self, backup: &str) -> Option<Vec<u8>> {
            read(&self.0.path().join(backup), "files").unwrap()
        }

        fn size(&self, backup: &str) -> u64 {
            let file = self.0.path().join(backup).join("files");
            fs::metadata(file).unwrap().len()
        }
    }

    /// A list of which everything from a line on is another one.
    fn list(changed_from: usize) -> Vec<u8> {
        let line = |number: usize| {
            let salt = if number < changed_from { 0 } else { 1 };
            let hash = Sha256::digest(format!("{number} {salt}"));
            format!("{} {number}\n", hex::encode(hash)).into_bytes()
        };
        (0..5000).flat_map(line).collect()
    }

    #[test]
    fn a_list_is_kept_as_what_differs_and_needs_no_other_backup() {
        let world = World(tempfile::tempdir().unwrap());
        world.write("a", &list(5000), None);
        world.write("b", &list(4999), Some("a"));
        world.write("c", &list(4998), Some("b"));
        assert!(world.size("a") > 100_000, "{}", world.size("a"));
        for name in ["b", "c"] {
            assert!(world.size(name) < 500, "{}", world.size(name));
        }
        for name in ["a", "b"] {
            fs::remove_dir_all(world.0.path().join(name)).unwrap();
        }
        assert_eq!(world.read("c"), Some(list(4998)));
    }

    #[test]
    fn a_list_that_is_much_another_one_is_kept_whole() {
        let world = World(tempfile::tempdir().unwrap());
        world.write("a", &list(5000), None);
        world.write("b", &list(100), Some("a"));
        world.write("c", &list(100), Some("none"));
        assert!(!world.0.path().join("b/files.earlier").exists());
        for name in ["b", "c"] {
            assert_eq!(world.read(name), Some(list(100)));
        }
    }

    #[test]
    fn a_torn_list_is_none_and_one_that_was_never_packed_is_read() {
        let world = World(tempfile::tempdir().unwrap());
        assert_eq!(world.read("a"), None);
        world.write("a", &list(5000), None);
        world.write("b", &list(4999), Some("a"));
        fs::write(world.0.path().join("a/files"), "plain\n").unwrap();
        assert_eq!(world.read("a"), Some(b"plain\n".to_vec()));
        // The second name leads to the same file.
        assert_eq!(world.read("b"), None);
        fs::remove_file(world.0.path().join("b/files.earlier")).unwrap();
        assert_eq!(world.read("b"), None);
    }
}
