//! A bare repository with the hooks of Teal, a clone to push from, and git as it is everywhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folders of one scenario.
pub struct World {
    _folder: tempfile::TempDir,
    /// Teal's state folder.
    pub state: PathBuf,
    /// `repos/shop.git` in it.
    pub repository: PathBuf,
    /// The clone, with one commit on `main` and the remote `production`.
    pub work: PathBuf,
}

impl World {
    /// A world whose state folder has this name.
    pub fn named(name: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(name);
        let repository = state.join("repos/shop.git");
        let work = folder.path().join("work");
        fs::create_dir_all(state.join("run")).unwrap();
        let world = World {
            _folder: folder,
            state,
            repository,
            work,
        };
        let (at, work) = (text(&world.repository), text(&world.work));
        world.git_in("/", &["init", "-q", "--bare", "-b", "main", at]);
        world.at_server(&["config", "receive.advertisePushOptions", "true"]);
        for prefix in ["refs/heads", "refs/tags", "refs/deploy"] {
            world.at_server(&["config", "--add", "receive.procReceiveRefs", prefix]);
        }
        for hook in ["post-receive", "proc-receive"] {
            let link = world.repository.join("hooks").join(hook);
            symlink(env!("CARGO_BIN_EXE_teal-hook"), link).unwrap();
        }
        world.git_in("/", &["init", "-q", "-b", "main", work]);
        world.at_home(&["commit", "-q", "--allow-empty", "-m", "first"]);
        world.at_home(&["remote", "add", "production", at]);
        world
    }

    pub fn new() -> World {
        World::named("state")
    }

    /// The socket that the hooks look for.
    pub fn socket(&self) -> PathBuf {
        self.state.join("run/teal.sock")
    }

    /// `git …` in that folder, hermetic.
    pub fn command(&self, folder: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.current_dir(folder).args(arguments);
        git.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        git.env("HOME", &self.state).env("LC_ALL", "C.UTF-8");
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Ada");
            git.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
        }
        git
    }

    fn git_in(&self, folder: impl AsRef<Path>, arguments: &[&str]) -> String {
        let output = self.command(folder, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// git in the bare repository.
    pub fn at_server(&self, arguments: &[&str]) -> String {
        self.git_in(&self.repository, arguments)
    }

    /// git in the clone.
    pub fn at_home(&self, arguments: &[&str]) -> String {
        self.git_in(&self.work, arguments)
    }

    /// `git push …` and its exit code, and what the pusher read.
    pub fn push(&self, arguments: &[&str]) -> (i32, String) {
        let all = [&["push"], arguments].concat();
        let output: Output = self.command(&self.work, &all).output().unwrap();
        let read = String::from_utf8(output.stderr).expect("what the pusher reads is UTF-8");
        (output.status.code().unwrap(), read)
    }

    /// Every ref of the bare repository.
    pub fn refs(&self) -> String {
        self.at_server(&["for-each-ref", "--format=%(refname)"])
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
