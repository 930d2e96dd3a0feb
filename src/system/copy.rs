//! Copies of file content that cost as little as the file system allows. A hole stays a hole.

use super::sparse;
use rustix::fs::{copy_file_range, ioctl_ficlone};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

/// Copies whole files between two places. It shares the blocks (a reflink) where the file system can, and remembers
/// whether it can, so that only the first file pays for the attempt.
#[derive(Debug, Default)]
pub struct Copier {
    sharing: AtomicU8,
}

// Zero: not tried yet.
const SHARES: u8 = 1;
const COPIES: u8 = 2;

impl Copier {
    /// Fills the empty file `to` with the content of `from`.
    pub fn copy(&self, from: &File, to: &File) -> io::Result<()> {
        if self.sharing.load(Ordering::Relaxed) != COPIES {
            match ioctl_ficlone(to, from) {
                Ok(()) => {
                    self.sharing.store(SHARES, Ordering::Relaxed);
                    return Ok(());
                }
                Err(
                    Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV | Errno::INVAL | Errno::NOSYS,
                ) => self.sharing.store(COPIES, Ordering::Relaxed),
                Err(errno) => return Err(errno.into()),
            }
        }
        match sparse::has_holes(from)? {
            true => copy_around_holes(from, to),
            false => copy_bytes(from, to),
        }
    }

    /// Whether a file was shared block by block, so that the next ones can be expected to be.
    pub fn shares(&self) -> bool {
        self.sharing.load(Ordering::Relaxed) == SHARES
    }
}

/// Whether copies of files in this folder can share their blocks, tried with two files without names.
pub fn shares(folder: &Path) -> io::Result<bool> {
    use rustix::fs::{Mode, OFlags, open};
    let nameless = || {
        let how = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        open(folder, how, Mode::RUSR | Mode::WUSR).map(File::from)
    };
    let (from, to) = (nameless()?, nameless()?);
    (&from).write_all(&[1; 4096])?;
    let copier = Copier::default();
    copier.copy(&from, &to)?;
    Ok(copier.shares())
}

fn copy_bytes(mut from: &File, mut to: &File) -> io::Result<()> {
    loop {
        match copy_file_range(from, None, to, None, 1 << 30) {
            Ok(0) => break,
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
                // Both positions have moved by what was copied so far, so an ordinary copy goes on from there.
                io::copy(&mut from, &mut to)?;
                break;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Copies what is between the holes, and leaves the same holes.
fn copy_around_holes(from: &File, to: &File) -> io::Result<()> {
    let mut at = 0;
    while let Some(data) = sparse::next_data(from, at)? {
        copy_stretch(from, to, &data)?;
        at = data.end;
    }
    to.set_len(sparse::length(from)?)
}

fn copy_stretch(mut from: &File, mut to: &File, data: &Range<u64>) -> io::Result<()> {
    let mut at = data.start;
    while at < data.end {
        let (mut read_at, mut write_at) = (at, at);
        let left = usize::try_from(data.end - at).unwrap_or(usize::MAX);
        let most = left.min(1 << 30);
        match copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), most) {
            // It was cut meanwhile.
            Ok(0) => break,
            Ok(copied) => at += copied as u64,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
                from.seek(SeekFrom::Start(at))?;
                to.seek(SeekFrom::Start(at))?;
                io::copy(&mut from.take(data.end - at), &mut to)?;
                break;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_copy_is_whole_and_independent() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&from, &content).unwrap();
        let copier = Copier::default();
        for _ in 0..2 {
            let target = File::create(&to).unwrap();
            copier.copy(&File::open(&from).unwrap(), &target).unwrap();
            assert_eq!(fs::read(&to).unwrap(), content);
        }
        assert_eq!(shares(dir.path()).unwrap(), copier.shares());
        fs::write(&to, "other").unwrap();
        assert_eq!(fs::read(&from).unwrap(), content);
    }

    #[test]
    fn a_hole_stays_a_hole_and_everything_else_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        // One ends with a hole, the other with words, and the last is nothing but a hole.
        for (length, end) in [(64 << 20, ""), (40 << 20, "the end"), (0, "")] {
            let keeps_holes = sparse::testing::write(&from, length).unwrap();
            let mut file = fs::OpenOptions::new().append(true).open(&from).unwrap();
            file.write_all(end.as_bytes()).unwrap();
            if length == 0 {
                file.set_len(32 << 20).unwrap();
            }
            let target = File::create(&to).unwrap();
            Copier::default()
                .copy(&File::open(&from).unwrap(), &target)
                .unwrap();
            assert!(
                fs::read(&to).unwrap() == fs::read(&from).unwrap(),
                "{length}"
            );
            if keeps_holes {
                let taken = sparse::testing::taken(&to).unwrap();
                assert!(taken < 16 << 20, "{taken} bytes for {length}");
            }
        }
    }
}
