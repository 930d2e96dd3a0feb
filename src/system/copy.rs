//! Copies of file content that cost as little as the file system allows.

use rustix::fs::{copy_file_range, ioctl_ficlone};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Copies whole files between two places. It shares the blocks (a reflink) where the file system can, and remembers
/// where it cannot, so that only the first file pays for the attempt.
#[derive(Debug, Default)]
pub struct Copier {
    cannot_share: AtomicBool,
}

impl Copier {
    /// Fills the empty file `to` with the content of `from`.
    pub fn copy(&self, from: &File, to: &File) -> io::Result<()> {
        if !self.cannot_share.load(Ordering::Relaxed) {
            match ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(
                    Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV | Errno::INVAL | Errno::NOSYS,
                ) => {
                    self.cannot_share.store(true, Ordering::Relaxed);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        copy_bytes(from, to)
    }

    /// Whether files were shared block by block so far.
    pub fn shares(&self) -> bool {
        !self.cannot_share.load(Ordering::Relaxed)
    }
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
