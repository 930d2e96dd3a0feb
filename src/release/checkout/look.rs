use super::index::{Entry, Index, Kind, Stamp};
use crate::release::walk::{Cursor, share_out, split};
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};

/// What became of a tracked path since it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is as it was.
    Same,
    /// It is there, but only its content can tell whether it is the same.
    Suspect,
    /// It is not there.
    Gone,
}

/// Below this many paths a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 2000;

/// Looks at every path of the index, in its order.
pub(super) fn look(slot: &Folder, index: &Index) -> Result<Vec<Seen>, FileError> {
    share_out(&index.entries, WORTH_A_THREAD, |entries| {
        look_at(slot, index, entries)
    })
}

fn look_at(slot: &Folder, index: &Index, entries: &[Entry]) -> Result<Vec<Seen>, FileError> {
    let mut cursor = Cursor::new(slot);
    entries
        .iter()
        .map(|entry| {
            let (parent, name) = split(index.path(entry));
            let Some(folder) = cursor.find(parent)? else {
                return Ok(Seen::Gone);
            };
            let Some(stat) = folder.stat(name)? else {
                return Ok(Seen::Gone);
            };
            let kind = EntryKind::of_mode(stat.st_mode);
            let same = match entry.kind {
                Kind::Folder | Kind::Module => kind == EntryKind::Folder,
                Kind::Link => kind == EntryKind::Link && unchanged(index, entry, &stat),
                Kind::File | Kind::Program => {
                    kind == EntryKind::File
                        && stat.st_mode & 0o7777 == entry.kind.permissions()
                        && unchanged(index, entry, &stat)
                }
            };
            Ok(if same { Seen::Same } else { Seen::Suspect })
        })
        .collect()
}

fn unchanged(index: &Index, entry: &Entry, stat: &rustix::fs::Stat) -> bool {
    entry.stamp == Stamp::of(stat) && index.trusts(&entry.stamp)
}
