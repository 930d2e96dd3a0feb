use super::wait::{LONG, wait_until};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A running program in a process group of its own. Its output is kept; when it is dropped, the group is killed.
pub struct Daemon {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts it. `name` is for messages.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let output = Arc::default();
        let readers = vec![
            keep(child.stdout.take().expect("piped"), &output),
            keep(child.stderr.take().expect("piped"), &output),
        ];
        Daemon {
            name: name.to_owned(),
            child,
            output,
            readers,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What it wrote so far, both streams as they came.
    pub fn output(&self) -> String {
        self.output.lock().expect("output").clone()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits until `ready` holds; a program that ends meanwhile fails the test with its last words.
    #[track_caller]
    pub fn ready_when(&mut self, what: &str, mut ready: impl FnMut() -> bool) {
        wait_until(LONG, what, || {
            // Its last words may still be on their way when it has ended.
            let over = self.is_silent().then(|| self.ended()).flatten();
            let is_ready = ready();
            match over {
                Some(status) if !is_ready => {
                    panic!("{} ended ({status}):\n{}", self.name, self.output())
                }
                _ => is_ready,
            }
        });
    }

    /// Waits until it has ended and all that it wrote is here; its exit code, -1 when a signal ended it.
    #[track_caller]
    pub fn finish(&mut self) -> i32 {
        let what = format!("{} ends", self.name);
        wait_until(LONG, &what, || self.ended().is_some() && self.is_silent());
        let status = self.ended().expect("it ended");
        status.code().unwrap_or(-1)
    }

    /// Whether nothing more will be read from it.
    fn is_silent(&self) -> bool {
        self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Waits until it has written this.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let output = Arc::clone(&self.output);
        let what = format!("{} says `{words}`", self.name);
        self.ready_when(&what, || output.lock().expect("output").contains(words));
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        let _ = nix::sys::signal::kill(Pid::from_raw(self.pid()), signal);
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let what = format!("{} ends after {signal}", self.name);
        wait_until(LONG, &what, || self.ended().is_some());
        self.ended().expect("it ended")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn keep(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            output
                .lock()
                .expect("output")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// Where a program is. Daemons live in `/usr/sbin`, which an ordinary user's `PATH` lacks.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed; scripts/test.sh installs what tests need")
        })
}
