use super::credentials::{basic, ssh};
use super::program::{Group, clean_git, hardened};
use super::refs::REMOTE;
use super::{GitError, plain};
use crate::config::Credentials;
use crate::system::process;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

/// What git calls the remote: a name that no repository's own file uses, so that only the settings given here count.
const NAME: &str = "teal-remote";

/// Another host's repository: what is fetched from and how this server shows itself to it.
///
/// Only the `git` program speaks to it, in an empty environment: no system or user configuration, no prompts, hooks,
/// submodules, redirects or helpers, and no protocol but https, http and ssh. Secrets travel in the environment,
/// which other users cannot read, never among the arguments.
#[derive(Debug, Clone)]
pub struct Remote {
    /// `https://…`, `http://…`, `ssh://…` or `user@host:path`.
    pub url: String,
    /// What is shown to it.
    pub credentials: Credentials,
    /// Where the host keys of ssh remotes are kept; the first key seen of a host is the one it must show ever after.
    pub known_hosts: PathBuf,
    /// The most bytes that one fetch may bring.
    pub largest: u64,
}

/// How much is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// Every branch and tag; those that the remote no longer has are forgotten.
    Everything,
    /// One ref by its full name: `refs/heads/main`.
    Ref(String),
}

impl Remote {
    /// Brings refs and their objects from the remote, below `refs/teal-remote/`, so that nothing pushed here is ever
    /// overwritten. Dropping the future, or the deadline, stops git and all that it started.
    pub async fn fetch(&self, repo: &Path, what: &Fetch, limit: Duration) -> Result<(), GitError> {
        let refspecs = match what {
            Fetch::Everything => vec![
                format!("+refs/heads/*:{REMOTE}/heads/*"),
                format!("+refs/tags/*:{REMOTE}/tags/*"),
            ],
            Fetch::Ref(name) => vec![single(name)?],
        };
        let mut arguments = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-fetch-head",
            "--no-write-commit-graph",
        ];
        if *what == Fetch::Everything {
            arguments.push("--prune");
        }
        arguments.extend(["--", NAME]);
        let mut command = self.command(repo, &refspecs)?;
        command.args(arguments);
        bound_files(&mut command, self.largest);
        let leftovers = Leftovers(Some(repo));
        match self.run(command, limit).await {
            Ok(_) => {
                leftovers.none();
                Ok(())
            }
            Err(GitError::Fetch { remote, words }) if words.contains(TOO_LARGE) => {
                Err(GitError::TooLarge {
                    remote,
                    limit: self.largest,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The tips of the remote's branches and tags (annotated tags peeled), asked for without fetching anything.
    pub async fn tips(
        &self,
        repo: &Path,
        limit: Duration,
    ) -> Result<Vec<(String, String)>, GitError> {
        let mut command = self.command(repo, &[])?;
        command.args(["ls-remote", "--quiet", "--heads", "--tags", "--", NAME]);
        let output = self.run(command, limit).await?;
        let mut tips: Vec<(String, String)> = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some((id, name)) = line.split_once('\t') else {
                continue;
            };
            // The line `<name>^{}` follows the tag's own and tells the commit that the tag is about.
            match (name.strip_suffix("^{}"), tips.last_mut()) {
                (Some(tag), Some(last)) if last.0 == tag => id.clone_into(&mut last.1),
                _ => tips.push((name.to_owned(), id.to_owned())),
            }
        }
        Ok(tips)
    }

    /// The remote as it may be shown: without a name or password inside the URL.
    pub fn shown(&self) -> String {
        let url = plain(&self.url, 200);
        match url.split_once("://") {
            Some((scheme, rest)) => {
                let end = rest.find('/').unwrap_or(rest.len());
                match rest[..end].rfind('@') {
                    Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                    None => url,
                }
            }
            None => url,
        }
    }

    fn command(&self, repo: &Path, refspecs: &[String]) -> Result<Command, GitError> {
        if !is_spoken_to(&self.url) {
            return Err(GitError::Remote(self.shown()));
        }
        let mut settings = hardened(repo);
        settings.push((format!("remote.{NAME}.url"), self.url.clone()));
        for refspec in refspecs {
            settings.push((format!("remote.{NAME}.fetch"), refspec.clone()));
        }
        if let Credentials::Token(token) = &self.credentials
            && self.url.starts_with("http")
        {
            settings.push((
                format!("http.{}.extraHeader", self.url),
                format!("Authorization: Basic {}", basic(token)),
            ));
        }
        let mut command = clean_git(repo, &settings);
        command.env("GIT_SSH_COMMAND", ssh(&self.credentials, &self.known_hosts));
        Ok(command)
    }

    async fn run(&self, mut command: Command, limit: Duration) -> Result<Output, GitError> {
        let child = process::spawn(&mut command).map_err(GitError::Start)?;
        let group = Group::of(&child);
        let output = match tokio::time::timeout(limit, child.wait_with_output()).await {
            Ok(output) => output.map_err(GitError::Start)?,
            Err(_) => {
                return Err(GitError::Deadline {
                    remote: self.shown(),
                    limit,
                });
            }
        };
        group.ended();
        if output.status.success() {
            return Ok(output);
        }
        Err(GitError::Fetch {
            remote: self.shown(),
            words: self.last_words(&output),
        })
    }

    /// The last lines that git printed, on one line, with everything secret taken out.
    fn last_words(&self, output: &Output) -> String {
        let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Credentials::Token(token) = &self.credentials {
            for secret in [token.expose(), &basic(token)] {
                if !secret.is_empty() {
                    text = text.replace(secret, "***");
                }
            }
        }
        text = text.replace(&self.url, &self.shown());
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = &lines[lines.len().saturating_sub(4)..];
        if last.is_empty() {
            return format!("no word of it, {}", output.status);
        }
        plain(&last.join("; "), 600)
    }
}

/// What the system says of a file that has become as large as it may.
const TOO_LARGE: &str = "File too large";

/// Lets git, and what it starts, write no file larger than this. What a remote sends is written into one pack as it comes,
/// so nothing larger is ever taken; git itself has such a limit for pushes only.
fn bound_files(command: &mut Command, largest: u64) {
    let bound = move || {
        setrlimit(Resource::RLIMIT_FSIZE, largest, largest)?;
        // Instead of the signal, git is told, and tells why it ends.
        let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: ignoring a signal runs no code of ours when it comes.
        unsafe { sigaction(Signal::SIGXFSZ, &ignored) }?;
        Ok(())
    };
    // SAFETY: between fork and exec only two system calls are made; nothing is allocated.
    unsafe { command.pre_exec(bound) };
}

/// What git was writing when it was stopped, or when there was no room for it. git itself forgets such files after two
/// weeks, and each further attempt would leave more of them.
struct Leftovers<'a>(Option<&'a Path>);

impl Leftovers<'_> {
    /// All of it was taken in.
    fn none(mut self) {
        self.0 = None;
    }
}

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        let entries = self
            .0
            .and_then(|repo| std::fs::read_dir(repo.join("objects/pack")).ok());
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b"tmp_") {
                // What cannot be removed is left to git.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Packs a repository's loose objects and forgets what nothing has referred to for two weeks. Pushes and fetches
/// never do this by themselves, so that it never competes with a deployment.
pub async fn maintain(repo: &Path, limit: Duration) -> Result<(), GitError> {
    let local = Remote {
        url: repo.to_string_lossy().into_owned(),
        credentials: Credentials::None,
        known_hosts: PathBuf::new(),
        largest: u64::MAX,
    };
    let mut command = clean_git(repo, &hardened(repo));
    command.args(["gc", "--quiet", "--prune=2.weeks.ago"]);
    local.run(command, limit).await.map(drop)
}

fn single(name: &str) -> Result<String, GitError> {
    let rest = name
        .strip_prefix("refs/")
        .filter(|_| git2::Reference::is_valid_name(name) && !name.contains(['*', '^', ':']));
    match rest {
        Some(rest) => Ok(format!("+{name}:{REMOTE}/{rest}")),
        None => Err(GitError::RefName(plain(name, 80))),
    }
}

/// Whether the URL is one that git may be given: no other transport, and nothing that ssh would take for an option.
fn is_spoken_to(url: &str) -> bool {
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    match url.split_once("://") {
        Some(("https" | "http" | "ssh", rest)) => {
            !rest.is_empty() && !rest.starts_with('-') && !rest.contains("@-")
        }
        Some(_) => false,
        // `user@host:path`, the way ssh remotes are usually written.
        None => match url.split_once(':') {
            Some((host, path)) => {
                host.contains('@')
                    && !host.starts_with('-')
                    && !host.contains("@-")
                    && !host.contains('/')
                    && !path.starts_with([':', '-'])
            }
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_protocols_are_spoken() {
        for good in [
            "https://h/x.git",
            "http://127.0.0.1:1/x",
            "ssh://git@h:22/x",
            "git@github.com:a/b.git",
        ] {
            assert!(is_spoken_to(good), "{good}");
        }
        for bad in [
            "ext::sh -c id",
            "file:///etc",
            "/etc",
            "ssh://-oProxyCommand=id/x",
            "ssh://u@-oX/x",
            "-u",
            "git@-oX:x",
            "git://h/x",
            "a@b::x",
            "https://h/x\ny",
            "ext::id",
            "",
        ] {
            assert!(!is_spoken_to(bad), "{bad}");
        }
    }

    #[test]
    fn a_shown_remote_has_no_password() {
        let remote = |url: &str| Remote {
            url: url.to_owned(),
            credentials: Credentials::None,
            known_hosts: PathBuf::new(),
            largest: u64::MAX,
        };
        assert_eq!(remote("https://me:pw@h/x.git").shown(), "https://h/x.git");
        assert_eq!(remote("https://h/a@b.git").shown(), "https://h/a@b.git");
        assert_eq!(remote("git@h:a/b").shown(), "git@h:a/b");
    }

    #[test]
    fn a_ref_is_one_refspec_or_nothing() {
        assert_eq!(
            single("refs/heads/a").unwrap(),
            "+refs/heads/a:refs/teal-remote/heads/a"
        );
        for bad in [
            "main",
            "refs/heads/*",
            "refs/heads/a:b",
            "-x",
            "refs/heads/..",
            "refs/heads/a b",
        ] {
            assert!(single(bad).is_err(), "{bad}");
        }
    }
}
