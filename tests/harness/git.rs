use super::Sandbox;
use super::daemon::program;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a command did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, where git shows what the remote says.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its standard output, of a command that has to work.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Real git in one work tree, blind to this machine's configuration: HOME is in the sandbox, author and time are fixed,
/// so the same files make the same commit ids everywhere.
#[derive(Clone)]
pub struct Git {
    tree: PathBuf,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

impl Git {
    /// A new repository at `name` in the sandbox, on branch `main`.
    pub fn init(sandbox: &Sandbox, name: &str) -> Self {
        let git = Git::at(sandbox, sandbox.dir(name));
        git.run(["init", "--quiet", "--initial-branch=main"]).ok();
        git
    }

    /// Git in a folder that is already there.
    pub fn at(sandbox: &Sandbox, tree: PathBuf) -> Self {
        Git {
            tree,
            home: sandbox.dir("home"),
            environment: Vec::new(),
        }
    }

    /// The same, with one more environment variable (`GIT_SSH_COMMAND`).
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The work tree.
    pub fn path(&self) -> &Path {
        &self.tree
    }

    /// The command, ready to be given arguments and run.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program("git"));
        command
            .current_dir(&self.tree)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com")
            .env("GIT_AUTHOR_DATE", "2026-01-01T12:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T12:00:00Z")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs git with these arguments.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        Outcome::of(self.command().args(arguments))
    }

    /// Writes a file of the work tree, and the folders it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.tree.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder in the tree");
        fs::write(path, content).expect("a file in the tree");
        self
    }

    /// Commits everything as it is, even when nothing changed; the full commit id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.run(["add", "--all"]).ok();
        self.run(["commit", "--quiet", "--allow-empty", "--message", message])
            .ok();
        self.head()
    }

    /// The full id of the checked-out commit.
    #[track_caller]
    pub fn head(&self) -> String {
        self.run(["rev-parse", "HEAD"]).ok().trim().to_owned()
    }

    /// `git push` with these arguments. The outcome's `stderr` is what the pusher's terminal shows.
    #[track_caller]
    pub fn push<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        Outcome::of(self.command().arg("push").args(arguments))
    }
}
