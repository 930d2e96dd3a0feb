use super::backup::{BackupError, Shelf};
use super::checkout::{BUILD_HASH, forget};
use crate::domain::{Color, CommitId};
use crate::system::files::{AtPath, FileError, create_dir, symlink_atomic};
use crate::system::folder::{EntryKind, Folder};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why the slots of an environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `current` points to no slot: somebody moved it by hand.
    #[error("{} points to {}, which is neither of the slots: somebody moved it by hand. Teal does not follow it", link.display(), target.display())]
    Moved {
        /// The link.
        link: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// There is a file or folder where `current` should be a link.
    #[error("{} is not a link: move it out of the way, Teal makes its own", .0.display())]
    NotALink(PathBuf),
    /// There is a link or file where a folder should be.
    #[error("{} is not a folder: move it out of the way, Teal makes its own", .0.display())]
    NotAFolder(PathBuf),
}

/// The folders of one environment: `current`, `shared/`, `releases/{blue,green}/`, `.backups/`.
#[derive(Debug, Clone)]
pub struct Slots {
    root: PathBuf,
    meta: PathBuf,
}

/// What became of an environment's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// What Teal had made, and removed.
    pub removed: Vec<PathBuf>,
    /// What it left alone.
    pub kept: Vec<PathBuf>,
}

impl Slots {
    /// The slots below `root`. What Teal remembers about them is kept in `meta`, outside of them.
    pub fn new(root: impl Into<PathBuf>, meta: impl Into<PathBuf>) -> Slots {
        Slots {
            root: root.into(),
            meta: meta.into(),
        }
    }

    /// The environment's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The link to the active slot.
    pub fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// What the releases share: logs, pid files, and the user's own files.
    pub fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    /// The home of a user who has none.
    pub fn home(&self) -> PathBuf {
        self.root.join(".home")
    }

    /// Where sealed releases are kept.
    pub fn backups(&self) -> PathBuf {
        self.root.join(".backups")
    }

    /// The sealed releases.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(self.backups())
    }

    /// The folder of one color's release.
    pub fn slot(&self, color: Color) -> PathBuf {
        self.root.join("releases").join(color.as_str())
    }

    /// What Teal remembers about one slot, apart from it.
    pub fn meta(&self, color: Color) -> PathBuf {
        self.meta.join(color.as_str())
    }

    /// The file that remembers what is checked out in a slot.
    pub fn index(&self, color: Color) -> PathBuf {
        self.meta(color).join("index")
    }

    /// The file that remembers what a slot's files were like when they last equalled something sealed.
    pub fn ledger(&self, color: Color) -> PathBuf {
        self.meta(color).join("sealed")
    }

    /// Removes what interrupted sealings left behind, and the sealed files that nothing needs any more. Only while nothing
    /// is being sealed here.
    pub fn sweep(&self) -> Result<(), BackupError> {
        self.shelf()
            .sweep(&Color::BOTH.map(|color| self.ledger(color)))
    }

    /// Makes every folder that is missing. Links in their places are refused, because they would lead elsewhere.
    pub fn prepare(&self) -> Result<(), SlotError> {
        create_dir(&self.root, 0o755)?;
        for folder in [
            self.shared(),
            self.root.join("releases"),
            self.slot(Color::Blue),
            self.slot(Color::Green),
            self.backups(),
        ] {
            match fs::symlink_metadata(&folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(SlotError::NotAFolder(folder)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    create_dir(&folder, 0o755)?
                }
                Err(error) => return Err(error).at("look at", &folder).map_err(SlotError::from),
            }
        }
        for color in Color::BOTH {
            create_dir(&self.meta(color), 0o700)?;
        }
        Ok(())
    }

    /// The color that `current` points to; nothing before the first deployment. A link that was moved elsewhere by
    /// hand is an error that names it.
    pub fn active(&self) -> Result<Option<Color>, SlotError> {
        let link = self.current();
        match fs::symlink_metadata(&link) {
            Ok(found) if found.is_symlink() => {}
            Ok(_) => return Err(SlotError::NotALink(link)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("look at", &link).map_err(SlotError::from),
        }
        let target = fs::read_link(&link).at("read the link", &link)?;
        let named = |color: &Color| {
            // Compared part by part, so that `releases/blue/` and `./releases/blue` are the slot that they name.
            let parts = |path: &Path| self.root.join(path).components().collect::<PathBuf>();
            parts(&target) == parts(&self.slot(*color))
        };
        match Color::BOTH.into_iter().find(named) {
            Some(color) => Ok(Some(color)),
            None => Err(SlotError::Moved { link, target }),
        }
    }

    /// Points `current` to a color, in one move that survives a power cut. A folder in its place is an error; a link
    /// that somebody moved is put right.
    pub fn flip(&self, color: Color) -> Result<(), SlotError> {
        let link = self.current();
        let in_the_way = fs::symlink_metadata(&link).is_ok_and(|found| !found.is_symlink());
        if in_the_way {
            return Err(SlotError::NotALink(link));
        }
        let target = Path::new("releases").join(color.as_str());
        if fs::read_link(&link).is_ok_and(|found| found == target) {
            // A full disk has no room for a new link, and none is needed; that it is durable is not known yet.
            return Ok(Folder::open(&self.root)?.sync()?);
        }
        Ok(symlink_atomic(&target, &link)?)
    }

    /// Removes `current`, durably: nothing serves.
    pub fn unlink_current(&self) -> Result<(), SlotError> {
        let link = self.current();
        let gone = match std::fs::symlink_metadata(&link) {
            Ok(facts) if facts.is_symlink() => std::fs::remove_file(&link)
                .and_then(|()| std::fs::File::open(&self.root)?.sync_all()),
            _ => Ok(()),
        };
        Ok(gone.at("remove", &link)?)
    }

    /// Empties a slot, and forgets what was checked out in it.
    pub fn clear(&self, color: Color) -> Result<(), SlotError> {
        forget(&self.index(color))?;
        Ok(Folder::open(&self.slot(color))?.empty()?)
    }

    /// Removes what Teal made: the slots, the sealed releases and what it remembers of them. What is shared stays, and so
    /// does whatever else is in the environment's folder.
    pub fn destroy(&self) -> Result<Destroyed, FileError> {
        if let Some(parent) = self.meta.parent().filter(|parent| parent.exists())
            && let Some(name) = self.meta.file_name()
        {
            Folder::open(parent)?.remove(name)?;
        }
        let mut destroyed = Destroyed::default();
        if !self.root.exists() {
            return Ok(destroyed);
        }
        let folder = Folder::open(&self.root)?;
        for name in ["current", "releases", ".backups", ".home"] {
            if folder.remove(OsStr::new(name))? {
                destroyed.removed.push(self.root.join(name));
            }
        }
        folder.sync()?;
        let left = folder.entries()?;
        destroyed.kept = left
            .into_iter()
            .map(|one| self.root.join(one.name))
            .collect();
        destroyed.kept.sort();
        Ok(destroyed)
    }

    /// The commit that the slot was built from, as its `.build-hash` says.
    pub fn build_hash(&self, color: Color) -> Result<Option<CommitId>, SlotError> {
        let folder = Folder::open(&self.slot(color))?;
        let Some(file) = folder.open_file(OsStr::new(BUILD_HASH))? else {
            return Ok(None);
        };
        let mut text = String::new();
        // An app may have written anything there; then it is not a commit.
        let read = file.take(100).read_to_string(&mut text);
        Ok(read.ok().and_then(|_| text.trim().parse().ok()))
    }

    /// Writes everything in a slot to the disk.
    pub fn sync(&self, color: Color) -> Result<(), SlotError> {
        Ok(Folder::open(&self.slot(color))?.sync_file_system()?)
    }

    /// Writes the slot's `.build-hash`: from now on the slot holds a finished build of this commit. It reaches the disk
    /// together with that build, when the backup of the release is whole.
    pub fn write_build_hash(&self, color: Color, commit: &CommitId) -> Result<(), SlotError> {
        let folder = Folder::open(&self.slot(color))?;
        let fresh = OsStr::new(".build-hash.new");
        let path = folder.path().join(BUILD_HASH);
        let mut file = folder.create_file(fresh, 0o644)?;
        writeln!(file, "{commit}").at("write", &path)?;
        let name = OsStr::new(BUILD_HASH);
        if folder
            .stat(name)?
            .is_some_and(|stat| EntryKind::of_mode(stat.st_mode) == EntryKind::Folder)
        {
            folder.remove(name)?;
        }
        Ok(folder.take(&folder, fresh, name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn slots() -> (tempfile::TempDir, Slots) {
        let dir = tempfile::tempdir().unwrap();
        let slots = Slots::new(dir.path().join("root"), dir.path().join("meta"));
        slots.prepare().unwrap();
        slots.prepare().unwrap();
        (dir, slots)
    }

    #[test]
    fn the_link_says_which_slot_is_active() {
        let (_dir, slots) = slots();
        assert_eq!(slots.active().unwrap(), None);
        for color in [Color::Blue, Color::Green, Color::Blue] {
            slots.flip(color).unwrap();
            assert_eq!(slots.active().unwrap(), Some(color));
        }
        assert_eq!(
            fs::read_link(slots.current()).unwrap(),
            Path::new("releases/blue")
        );
        fs::remove_file(slots.current()).unwrap();
        symlink(slots.slot(Color::Green), slots.current()).unwrap();
        assert_eq!(slots.active().unwrap(), Some(Color::Green));
    }

    #[test]
    fn a_link_moved_by_hand_is_reported_and_put_right_by_the_next_switch() {
        let (_dir, slots) = slots();
        symlink("/etc", slots.current()).unwrap();
        let error = slots.active().unwrap_err().to_string();
        assert!(
            error.contains("current") && error.contains("/etc"),
            "{error}"
        );
        slots.flip(Color::Blue).unwrap();
        assert_eq!(slots.active().unwrap(), Some(Color::Blue));
    }

    #[test]
    fn what_is_in_the_way_is_named_and_left_alone() {
        let (_dir, slots) = slots();
        fs::create_dir(slots.current()).unwrap();
        assert!(matches!(slots.active(), Err(SlotError::NotALink(_))));
        assert!(matches!(
            slots.flip(Color::Blue),
            Err(SlotError::NotALink(_))
        ));
        fs::remove_dir(slots.slot(Color::Blue)).unwrap();
        symlink(slots.slot(Color::Green), slots.slot(Color::Blue)).unwrap();
        assert!(matches!(slots.prepare(), Err(SlotError::NotAFolder(_))));
        assert!(slots.clear(Color::Blue).is_err());
    }

    #[test]
    fn the_build_hash_is_ours_whatever_lies_there() {
        let (dir, slots) = slots();
        let commit: CommitId = "ab".repeat(20).parse().unwrap();
        assert_eq!(slots.build_hash(Color::Blue).unwrap(), None);
        slots.write_build_hash(Color::Blue, &commit).unwrap();
        assert_eq!(slots.build_hash(Color::Blue).unwrap(), Some(commit.clone()));
        let place = slots.slot(Color::Blue).join(BUILD_HASH);
        fs::remove_file(&place).unwrap();
        fs::create_dir_all(place.join("x")).unwrap();
        assert_eq!(slots.build_hash(Color::Blue).unwrap(), None);
        slots.write_build_hash(Color::Blue, &commit).unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "kept").unwrap();
        fs::remove_file(&place).unwrap();
        symlink(&outside, &place).unwrap();
        assert_eq!(slots.build_hash(Color::Blue).unwrap(), None);
        slots.write_build_hash(Color::Blue, &commit).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
        slots.clear(Color::Blue).unwrap();
        assert!(
            fs::read_dir(slots.slot(Color::Blue))
                .unwrap()
                .next()
                .is_none()
        );
    }
}
