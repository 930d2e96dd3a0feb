use super::wire::{Launch, Status};
use crate::system::files::{self, AtPath, FileError};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The files of one service's supervisor: a folder that only the server's user can enter.
#[derive(Debug, Clone)]
pub(super) struct Place {
    dir: PathBuf,
}

impl Place {
    pub fn new(dir: PathBuf) -> Place {
        Place { dir }
    }

    /// `<run>/services/<key>`; the socket stands beside it.
    pub fn of(run_dir: &Path, key: &str) -> Place {
        Place::new(run_dir.join("services").join(key))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn socket(&self) -> PathBuf {
        let mut path = self.dir.clone().into_os_string();
        path.push(".sock");
        path.into()
    }

    pub fn fifo(&self) -> PathBuf {
        self.dir.join("output")
    }

    pub fn create(&self) -> Result<(), FileError> {
        files::create_dir(&self.dir, 0o700)
    }

    /// Takes the service for this process, until the answer is dropped or the process ends; nothing when another has it.
    pub fn lock(&self) -> io::Result<Option<Flock<File>>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.dir.join("lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    pub fn write_launch(&self, launch: &Launch) -> Result<(), FileError> {
        let path = self.dir.join("spec.json");
        let text = serde_json::to_vec(launch).map_err(io::Error::from);
        text.and_then(|text| replace(&path, &text, 0o600))
            .at("write", &path)
    }

    pub fn read_launch(&self) -> Result<Launch, FileError> {
        let path = self.dir.join("spec.json");
        fs::read(&path)
            .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from))
            .at("read", &path)
    }

    pub fn write_status(&self, status: &Status) -> Result<(), FileError> {
        let path = self.dir.join("status.json");
        let text = serde_json::to_vec(status).map_err(io::Error::from);
        text.and_then(|text| replace(&path, &text, 0o600))
            .at("write", &path)
    }

    /// What the last supervisor wrote. One that cannot be read (the machine lost power meanwhile) tells of processes that
    /// are gone as well.
    pub fn read_status(&self) -> Option<Status> {
        let text = fs::read(self.dir.join("status.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Replaces a file whole for those who read it, without waiting for the disk: what it tells does not outlive the machine.
pub(super) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    files::remove_if_there(&temporary)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)?;
    file.write_all(content)?;
    fs::rename(&temporary, path)
}
