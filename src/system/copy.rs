//! Copies of file content that cost as little as the file system allows.

use rustix::fs::{copy_file_range, ioctl_ficlone};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
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
        copy_bytes(from, to)
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
}
