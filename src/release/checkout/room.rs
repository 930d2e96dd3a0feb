//! Whether what is to be written fits, asked before the first change: a pack of a few kilobytes can hold any amount of zeros.

use super::CheckoutError;
use super::plan::{Act, Plan};
use crate::release::walk::shown;
use crate::system::folder::Folder;
use crate::system::git::Repo;

/// The largest file of a commit.
const LARGEST: u64 = 512_000_000;
/// What stays free for everybody else: logs, the journal, what serves.
const RESERVE: u64 = 16 << 20;
/// What a file takes of the disk, at least, and in which steps it grows.
const BLOCK: u64 = 4096;

/// Refuses a plan whose files are too large, or together more than the disk has room for.
pub(super) fn look(repo: &Repo, slot: &Folder, plan: &Plan) -> Result<(), CheckoutError> {
    let odb = repo.git().odb().map_err(repo.error("read objects"))?;
    let (mut bytes, mut files) = (0_u64, 0_u64);
    for (entry, act) in plan.index.entries.iter().zip(&plan.acts) {
        if *act == Act::Keep {
            continue;
        }
        files += 1;
        if !entry.kind.has_content() {
            continue;
        }
        let path = || shown(plan.index.path(entry));
        let (size, _) = odb
            .read_header(entry.id)
            .map_err(repo.error(format!("read `{}`", path())))?;
        let size = size as u64;
        if size > LARGEST {
            return Err(CheckoutError::TooLarge {
                path: path(),
                bytes: size,
                limit: LARGEST,
            });
        }
        if *act == Act::Write {
            bytes += size.div_ceil(BLOCK) * BLOCK;
        }
    }
    enough(slot, bytes, files)
}

fn enough(slot: &Folder, bytes: u64, files: u64) -> Result<(), CheckoutError> {
    let free = slot.free()?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let told = if bytes > 0 && bytes + RESERVE > free.bytes {
        let (bytes, free) = (megabytes(bytes), megabytes(free.bytes));
        format!("they need {bytes}, and {free} are free, of which some have to stay free")
    } else if let Some(left) = free.files.filter(|left| *left < files) {
        format!("{files} files and folders are to be written, and {left} more (inodes) fit on it")
    } else {
        return Ok(());
    };
    Err(CheckoutError::NoRoom {
        place: slot.path().to_owned(),
        told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_before_it_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        let slot = Folder::open(dir.path()).unwrap();
        enough(&slot, 1, 1).unwrap();
        let told = enough(&slot, 1 << 60, 1).unwrap_err().to_string();
        assert!(
            told.contains("No space left") && told.contains("are free"),
            "{told}"
        );
    }
}
