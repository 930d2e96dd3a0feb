use super::git::Outcome;
use super::ports::Ports;
use super::wait::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// A test's own corner of the machine: a temporary folder, ports, and the processes that live in that folder. When it is
/// dropped, all of it is gone.
pub struct Sandbox {
    folder: TempDir,
    ports: Mutex<Ports>,
    mounts: Mutex<Vec<PathBuf>>,
}

impl Sandbox {
    /// A new one.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("teal-test-")
            .tempdir()
            .expect("a temporary folder");
        Sandbox {
            folder,
            ports: Mutex::default(),
            mounts: Mutex::default(),
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A folder inside it, made if it is not there.
    pub fn dir(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).expect("a folder in the sandbox");
        path
    }

    /// Writes a file, and the folders it needs.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder in the sandbox");
        fs::write(&path, content).expect("a file in the sandbox");
        path
    }

    /// A port that is this sandbox's until it is dropped.
    pub fn port(&self) -> u16 {
        self.ports_in_a_row(1)
    }

    /// The first of `count` ports in a row.
    pub fn ports_in_a_row(&self, count: u16) -> u16 {
        self.ports.lock().expect("ports").take(count)
    }

    /// Every port that was given out.
    pub fn ports(&self) -> Vec<u16> {
        self.ports.lock().expect("ports").numbers().collect()
    }

    /// Mounts something at a folder of the sandbox, with the words that `mount` takes before it, until the sandbox ends. False,
    /// with the reason printed, where that is not possible.
    pub fn mount(&self, words: &[&str], name: impl AsRef<Path>) -> bool {
        let at = self.dir(name);
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: only root can mount");
            return false;
        }
        let mounted = Outcome::of(Command::new("mount").args(words).arg(&at));
        if mounted.code != 0 {
            eprintln!("skipped: mount {words:?}: {}", mounted.stderr.trim());
            return false;
        }
        self.mounts.lock().expect("mounts").push(at);
        true
    }

    /// Takes every mount away again, whoever still uses it.
    pub fn unmount_all(&self) {
        for at in self.mounts.lock().expect("mounts").drain(..).rev() {
            Outcome::of(Command::new("umount").arg("--lazy").arg(at));
        }
    }

    /// Ends every process that belongs here.
    pub fn sweep(&self) {
        wait_until(Duration::from_secs(20), "the sandbox is empty", || {
            self.kill_all()
        });
    }

    fn kill_all(&self) -> bool {
        let left = self.processes();
        for (pid, _) in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        left.is_empty()
    }

    /// The processes that belong here, whoever their parent is: those that run in this folder or name it in their
    /// command line. What a scenario expects to be empty at its end.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != std::process::id() as i32)
            .filter_map(|pid| Some((pid, self.belongs(pid)?)))
            .collect()
    }

    fn belongs(&self, pid: i32) -> Option<String> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let raw = fs::read(proc.join("cmdline")).ok()?;
        // A process that ended and waits to be reaped has no command line.
        if raw.is_empty() {
            return None;
        }
        let command = String::from_utf8_lossy(&raw)
            .replace('\0', " ")
            .trim_end()
            .to_owned();
        let lives_here =
            fs::read_link(proc.join("cwd")).is_ok_and(|at| at.starts_with(self.path()));
        let named = command.contains(&*self.path().to_string_lossy());
        (lives_here || named).then_some(command)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would hide the first.
            self.kill_all();
        } else {
            self.sweep();
        }
        self.unmount_all();
    }
}
