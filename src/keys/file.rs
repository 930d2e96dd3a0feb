use super::entry::quoted;
use super::error::KeyError;
use super::{Entry, PublicKey, SHELL_COMMAND};
use crate::domain::KeyName;
use crate::system::files::{self, AtPath};
use nix::unistd::{Gid, Uid, User};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The `authorized_keys` of the user that people push to.
pub struct AuthorizedKeys {
    path: PathBuf,
    lines: Vec<String>,
    owner: User,
    state_dir: PathBuf,
    hook: PathBuf,
}

impl AuthorizedKeys {
    /// Reads the file: the given one, else the one of the user who owns `state_dir`. `hook` is the program of the forced
    /// commands.
    pub fn open(
        path: Option<&Path>,
        state_dir: &Path,
        hook: &Path,
    ) -> Result<AuthorizedKeys, KeyError> {
        let uid = std::fs::metadata(state_dir).at("look at", state_dir)?.uid();
        let found = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let owner = found.ok_or(KeyError::NoOwner(uid))?;
        let path = path.map_or_else(|| owner.dir.join(".ssh/authorized_keys"), Path::to_owned);
        let text = files::read_if_there(&path)?.unwrap_or_default();
        Ok(AuthorizedKeys {
            lines: text.lines().map(str::to_owned).collect(),
            path,
            owner,
            state_dir: state_dir.to_owned(),
            hook: hook.to_owned(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The user whose file it is: the one that people push to.
    pub fn user(&self) -> &str {
        &self.owner.name
    }

    /// The keys that are Teal's, in the order of the file.
    pub fn entries(&self) -> Vec<Entry> {
        self.lines
            .iter()
            .filter_map(|line| Entry::read(line))
            .collect()
    }

    /// The keys of Teal's whose line runs another program than it should: those that were added when Teal lay elsewhere.
    pub fn stale(&self) -> Vec<Entry> {
        let is_shell = self.is_git_shell();
        let program = match is_shell {
            true => SHELL_COMMAND.to_owned(),
            false => quoted(&self.hook.display().to_string()),
        };
        let state_dir = self.state_dir.display().to_string();
        let lines = self.lines.iter();
        let read = lines.filter_map(|line| Some((line, Entry::read(line)?)));
        read.filter(|(line, entry)| line.trim() != entry.line(&program, &state_dir))
            .map(|(_, entry)| entry)
            .collect()
    }

    /// How many lines let somebody push, limited or not.
    pub fn count(&self) -> usize {
        let keys = self
            .lines
            .iter()
            .filter(|line| !line.trim_start().starts_with('#') && PublicKey::among(line).is_some());
        keys.count()
    }

    /// The login shell of the user that people push to.
    pub fn shell(&self) -> &Path {
        &self.owner.shell
    }

    /// The home of the user that people push to.
    pub fn home(&self) -> &Path {
        &self.owner.dir
    }

    fn is_git_shell(&self) -> bool {
        let shell = self.owner.shell.file_name();
        shell.is_some_and(|name| name == "git-shell")
    }

    /// Adds a key; one of the same name that is the same key reaches both, what it did and what it is to.
    pub fn add(&mut self, entry: Entry) -> Result<Entry, KeyError> {
        self.refuse_unlimited(&entry.key)?;
        let mut entry = entry;
        for other in self.entries().into_iter().filter(|e| e.key == entry.key) {
            if other.name != entry.name {
                return Err(KeyError::Named(other.name));
            }
            entry.reach = entry.reach.and(other.reach);
        }
        self.lines
            .retain(|line| Entry::read(line).is_none_or(|other| other.key != entry.key));
        let program = self.program()?;
        let state_dir = self.state_dir.display().to_string();
        self.lines.push(entry.line(&program, &state_dir));
        self.write()?;
        Ok(entry)
    }

    /// Removes all keys of that name; those that there were.
    pub fn remove(&mut self, name: &KeyName) -> Result<Vec<Entry>, KeyError> {
        let mut gone = self.entries();
        gone.retain(|entry| &entry.name == name);
        if !gone.is_empty() {
            self.lines
                .retain(|line| Entry::read(line).is_none_or(|entry| &entry.name != name));
            self.write()?;
        }
        Ok(gone)
    }

    fn refuse_unlimited(&self, key: &PublicKey) -> Result<(), KeyError> {
        let unlimited = self.lines.iter().position(|line| {
            !line.trim_start().starts_with('#')
                && Entry::read(line).is_none()
                && PublicKey::among(line).as_ref() == Some(key)
        });
        match unlimited {
            Some(at) => Err(KeyError::Unlimited {
                file: self.path.clone(),
                line: at + 1,
            }),
            None => Ok(()),
        }
    }

    /// What the login shell is told to run. `git-shell` starts nothing but git's own commands and what lies in a folder of
    /// that user's home.
    fn program(&self) -> Result<String, KeyError> {
        if !self.is_git_shell() {
            return Ok(quoted(&self.hook.display().to_string()));
        }
        let folder = self.owner.dir.join("git-shell-commands");
        files::create_dir(&folder, 0o755)?;
        self.give_to_owner(&folder)?;
        files::symlink_atomic(&self.hook, &folder.join(SHELL_COMMAND))?;
        Ok(SHELL_COMMAND.to_owned())
    }

    fn write(&self) -> Result<(), KeyError> {
        if let Some(folder) = self.path.parent()
            && !folder.exists()
        {
            files::create_dir(folder, 0o700)?;
            self.give_to_owner(folder)?;
        }
        let mut text = self.lines.join("\n");
        text.push('\n');
        files::write_atomic(&self.path, text.as_bytes(), 0o600)?;
        self.give_to_owner(&self.path)
    }

    /// What root makes, sshd would not believe to be the user's.
    fn give_to_owner(&self, path: &Path) -> Result<(), KeyError> {
        if !Uid::effective().is_root() || self.owner.uid.is_root() {
            return Ok(());
        }
        let (uid, gid): (Uid, Gid) = (self.owner.uid, self.owner.gid);
        let given = nix::unistd::chown(path, Some(uid), Some(gid));
        Ok(given.map_err(io::Error::from).at("give away", path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ADA: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlXWVhkW6cMpbnmuqJ0Yzr1y0m5IGZbUWXb+0NjhP3q";

    fn open(dir: &Path) -> AuthorizedKeys {
        let hook = Path::new("/usr/local/bin/teal-hook");
        AuthorizedKeys::open(Some(&dir.join("ssh/authorized_keys")), dir, hook).unwrap()
    }

    fn ada(reach: &str) -> Entry {
        Entry {
            name: "ada".parse().unwrap(),
            reach: reach.parse().unwrap(),
            key: ADA.parse().unwrap(),
        }
    }

    #[test]
    fn keys_come_and_go_and_other_lines_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).add(ada("shop/staging")).unwrap();
        let path = dir.path().join("ssh/authorized_keys");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let written = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("# by hand\n{written}")).unwrap();
        let both = open(dir.path()).add(ada("shop/qa")).unwrap();
        assert_eq!(both.reach.to_string(), "shop/qa,shop/staging");
        assert_eq!(open(dir.path()).entries(), [both]);
        let other = Entry {
            name: "bob".parse().unwrap(),
            ..ada("shop")
        };
        assert!(matches!(
            open(dir.path()).add(other),
            Err(KeyError::Named(_))
        ));
        let gone = open(dir.path()).remove(&"ada".parse().unwrap()).unwrap();
        assert_eq!(gone.len(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "# by hand\n");
    }

    #[test]
    fn a_key_that_may_do_everything_already_is_not_limited_by_a_second_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ssh/authorized_keys");
        fs::create_dir(dir.path().join("ssh")).unwrap();
        fs::write(&path, format!("# {ADA}\nno-pty {ADA} ada@laptop\n")).unwrap();
        let error = open(dir.path()).add(ada("shop")).unwrap_err();
        assert!(
            matches!(error, KeyError::Unlimited { line: 2, .. }),
            "{error}"
        );
    }
}
