use super::{Backup, BackupError};
use crate::release::tree::{Kind, Listing, Store, hash_of, hash_of_text, is_way};
use crate::release::walk::shown;
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// One path of a backup that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path, as it may be shown.
    pub path: String,
    /// What is wrong with it: "is missing", "has other content now".
    pub what: &'static str,
}

/// What a look through a whole backup found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many files and links were compared.
    pub compared: usize,
    /// Everything that is not as it was sealed.
    pub differences: Vec<Difference>,
}

/// Compares a backup, byte for byte, with what was sealed.
pub fn verify(backup: &Backup) -> Result<Verified, BackupError> {
    let listing = backup.listing()?;
    let store = backup.store().open()?;
    let mut verified = Verified::default();
    for folder in listing.folders() {
        match store.beneath(&Store::place(&listing, folder))? {
            Some(held) => compare(&listing, folder, &held, &mut verified)?,
            None => verified.tell(listing.path(folder), "is missing"),
        }
    }
    verified.differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(verified)
}

impl Verified {
    fn tell(&mut self, path: &[u8], what: &'static str) {
        let path = match path {
            b"" => "the whole release".to_owned(),
            path => shown(path),
        };
        self.differences.push(Difference { path, what });
    }
}

/// Compares what is directly inside a sealed folder.
fn compare(
    listing: &Listing,
    folder: usize,
    held: &Folder,
    verified: &mut Verified,
) -> Result<(), FileError> {
    let mode = listing.node(folder).mode;
    if held.mode()? != mode {
        verified.tell(listing.path(folder), "has other permissions now");
    }
    let mut there: BTreeMap<_, _> = held
        .entries()?
        .into_iter()
        .map(|entry| (entry.name, entry.kind))
        .collect();
    for child in listing.children(folder) {
        let name = OsStr::from_bytes(listing.name(child));
        let what = match there.remove(name) {
            None => Some("is missing"),
            Some(kind) => judge(listing, child, held, name, kind)?,
        };
        verified.compared += usize::from(listing.node(child).kind != Kind::Folder);
        if let Some(what) = what {
            verified.tell(listing.path(child), what);
        }
    }
    for name in there.keys() {
        let mut path = listing.path(folder).to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        verified.tell(&path, "was not sealed");
    }
    Ok(())
}

fn judge(
    listing: &Listing,
    at: usize,
    held: &Folder,
    name: &OsStr,
    kind: EntryKind,
) -> Result<Option<&'static str>, FileError> {
    let node = listing.node(at);
    let another = Some("is of another kind now");
    Ok(match (node.kind, kind) {
        (Kind::Folder, EntryKind::Folder) => None,
        (Kind::Folder, EntryKind::Link) => {
            (!is_way(listing, at, &held.read_link(name)?)).then_some("leads elsewhere now")
        }
        (Kind::Link, EntryKind::Link) => {
            let same = hash_of_text(&held.read_link(name)?) == node.hash;
            (!same).then_some("leads elsewhere now")
        }
        (Kind::File, EntryKind::File) => {
            let stat = held.stat(name)?;
            let mode = stat.map(|stat| stat.st_mode & 0o7777);
            let size = stat.and_then(|stat| u64::try_from(stat.st_size).ok());
            if mode != Some(node.mode) {
                Some("has other permissions now")
            } else if size != Some(node.size) {
                Some("has another size now")
            } else {
                let same = hash_of(held, name)? == Some(node.hash);
                (!same).then_some("has other content now")
            }
        }
        _ => another,
    })
}
