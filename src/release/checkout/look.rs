use super::cursor::{Cursor, split};
use super::index::{Entry, Index, Kind, Stamp};
use super::threads;
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};
use std::thread;

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
    let threads = threads::sharing(index.entries.len(), WORTH_A_THREAD);
    let share = index.entries.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = index
            .entries
            .chunks(share)
            .skip(1)
            .map(|entries| scope.spawn(move || look_at(slot, index, entries)))
            .collect();
        let first = index.entries.chunks(share).next().unwrap_or_default();
        let mut seen = look_at(slot, index, first)?;
        for worker in workers {
            match worker.join() {
                Ok(part) => seen.extend(part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(seen)
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
