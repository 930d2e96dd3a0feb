//! A service's log: each line with its time, in files of limited size.

use crate::system::clock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The size at which a file is put aside.
const LIMIT: u64 = 10 * 1024 * 1024;
/// How many files that were put aside are kept.
const KEPT: u32 = 3;
/// A longer line is broken.
const LONGEST: usize = 16 * 1024;

/// A log that is written line by line and put aside by size.
pub(super) struct Log {
    path: PathBuf,
    limit: u64,
    file: Option<File>,
    size: u64,
    open: Vec<u8>,
    lost: u64,
    trouble: Option<String>,
}

impl Log {
    pub fn open(path: &Path) -> io::Result<Log> {
        Log::with_limit(path, LIMIT)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Log> {
        let file = append(path)?;
        Ok(Log {
            path: path.to_owned(),
            limit,
            size: file.metadata()?.len(),
            file: Some(file),
            open: Vec::new(),
            lost: 0,
            trouble: None,
        })
    }

    /// Takes the service's output. A disk that is full loses lines and never holds the service up.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut block = Vec::with_capacity(bytes.len() + 64);
        let stamp = stamp();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open
                .extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
            let ends = piece.ends_with(b"\n");
            while self.open.len() > LONGEST {
                let rest = self.open.split_off(LONGEST);
                line(&mut block, &stamp, &self.open);
                self.open = rest;
            }
            if ends {
                line(&mut block, &stamp, &self.open);
                self.open.clear();
            }
        }
        self.write(&block);
    }

    /// Adds a line of Teal's own, after what the service has said so far.
    pub fn note(&mut self, text: &str) {
        self.close_line();
        let mut block = Vec::new();
        line(&mut block, &stamp(), format!("[teal] {text}").as_bytes());
        self.write(&block);
    }

    /// Writes a line that has no end yet: nothing follows it.
    pub fn close_line(&mut self) {
        if !self.open.is_empty() {
            let mut block = Vec::new();
            line(&mut block, &stamp(), &std::mem::take(&mut self.open));
            self.write(&block);
        }
    }

    /// Why lines were lost, if they were.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn write(&mut self, block: &[u8]) {
        if block.is_empty() {
            return;
        }
        match self.try_write(block) {
            Ok(()) => {
                self.size += block.len() as u64;
                self.lost = 0;
            }
            Err(error) => {
                self.lost += block.iter().filter(|byte| **byte == b'\n').count() as u64;
                let path = self.path.display();
                self.trouble = Some(format!(
                    "cannot write {path}: {error}; {} lines were lost",
                    self.lost
                ));
                self.file = None;
            }
        }
    }

    fn try_write(&mut self, block: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + block.len() as u64 > self.limit {
            self.rotate()?;
        }
        let lost = self.lost;
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = append(&self.path)?;
                self.size = file.metadata()?.len();
                none.insert(file)
            }
        };
        if lost > 0 {
            let text = format!(
                "{} [teal] {lost} lines could not be written here\n",
                stamp()
            );
            file.write_all(text.as_bytes())?;
        }
        file.write_all(block)
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..KEPT).rev() {
            move_if_there(&self.aside(age), &self.aside(age + 1))?;
        }
        move_if_there(&self.path, &self.aside(1))?;
        self.file = None;
        self.size = 0;
        Ok(())
    }

    fn aside(&self, age: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

/// Opens a log to add to it. The folder is the app's own, so a link put there in its place is not followed.
pub(super) fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("it is not an ordinary file"));
    }
    Ok(file)
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn line(block: &mut Vec<u8>, stamp: &str, text: &[u8]) {
    block.extend_from_slice(stamp.as_bytes());
    block.push(b' ');
    block.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
    block.push(b'\n');
}

fn stamp() -> String {
    clock::precise(clock::now_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_their_time_and_pieces_are_joined() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path).unwrap();
        log.push(b"one\ntw");
        log.push(b"o\nthree");
        log.note("stopped");
        let text = fs::read_to_string(&path).unwrap();
        let said: Vec<&str> = text.lines().map(|l| l.split_once(' ').unwrap().1).collect();
        assert_eq!(said, ["one", "two", "three", "[teal] stopped"]);
        assert!(
            text.lines()
                .all(|line| line.starts_with("20") && line.contains("Z "))
        );
    }

    #[test]
    fn a_full_file_is_put_aside_and_three_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::with_limit(&path, 100).unwrap();
        for n in 0..20 {
            log.push(format!("{n:050}\n").as_bytes());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        assert!(fs::metadata(&path).unwrap().len() <= 100);
    }

    #[test]
    fn a_link_in_the_logs_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "").unwrap();
        let path = dir.path().join("log");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(Log::open(&path).is_err());
    }

    #[test]
    fn a_disk_that_takes_nothing_loses_lines_and_says_so() {
        let mut log = Log::open(Path::new("/dev/full")).unwrap();
        log.push(b"a\nb\n");
        assert!(log.trouble().unwrap().contains("2 lines were lost"));
    }
}
