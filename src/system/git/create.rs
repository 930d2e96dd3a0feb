use super::{GitError, Repo, apart_from_the_machine};
use crate::system::files::{AtPath, symlink_atomic};
use crate::system::folder::Folder;
use git2::{Config, Repository, RepositoryInitOptions};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The refs that deploy when they are pushed: their prefixes are handed to `proc-receive`.
const DEPLOYING: [&str; 3] = ["refs/heads", "refs/tags", "refs/deploy"];

/// The hooks that the server needs in every repository.
const HOOKS: [&str; 2] = ["post-receive", "proc-receive"];

/// Flaws that git reports in the history of many old repositories and that can do no harm here. They are warned about;
/// everything else that git's check finds (`..`, `.git`, hostile `.gitmodules`) is refused.
pub(super) const OLD_MISTAKES: [&str; 9] = [
    "zeroPaddedFilemode",
    "badTimezone",
    "badDate",
    "badDateOverflow",
    "badEmail",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
];

/// What became of the hooks when a repository was prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HooksInstalled {
    /// Hooks of somebody else that were moved aside: where each one is kept now. They no longer run.
    pub moved_aside: Vec<PathBuf>,
}

impl Repo {
    /// Makes sure that there is a bare repository which takes pushes for the server: created if missing, its settings
    /// and hooks put right, everything else in it left alone. `branch` is what a clone checks out, `largest` how many
    /// bytes one push may bring; `hook` is the program that both hooks are.
    pub fn create(
        path: &Path,
        branch: &str,
        largest: u64,
        hook: &Path,
    ) -> Result<(Repo, HooksInstalled), GitError> {
        apart_from_the_machine();
        let head = format!("refs/heads/{branch}");
        if !git2::Reference::is_valid_name(&head) {
            return Err(GitError::RefName(head));
        }
        let is_new = !path.join("HEAD").exists();
        if is_new {
            let mut options = RepositoryInitOptions::new();
            options
                .bare(true)
                .mkpath(true)
                .external_template(false)
                .initial_head(branch);
            Repository::init_opts(path, &options).map_err(|source| GitError::Open {
                path: path.to_owned(),
                source,
            })?;
        }
        let repo = Repo::open(path)?;
        repo.git
            .set_head(&head)
            .map_err(repo.error("point HEAD to the branch"))?;
        repo.configure(largest)
            .map_err(repo.error("write the configuration"))?;
        let hooks = repo.install_hooks(hook)?;
        if is_new {
            Folder::open(path)?.sync_file_system()?;
        }
        Ok((repo, hooks))
    }

    /// What keeps a push from reaching the server, in words: hooks that are not `hook`, and refs that git does not ask about.
    pub fn flaws(&self, hook: &Path) -> Vec<String> {
        let mut flaws = Vec::new();
        for name in HOOKS {
            let place = self.path.join("hooks").join(name);
            match fs::read_link(&place) {
                Ok(target) if target == hook => {}
                Ok(target) => flaws.push(format!("its hook {name} is {}", target.display())),
                Err(_) if place.exists() => {
                    flaws.push(format!("its hook {name} is somebody else's"));
                }
                Err(_) => flaws.push(format!("its hook {name} is missing")),
            }
        }
        let asked = self.git.config().and_then(|config| {
            let mut found = Vec::new();
            config
                .multivar("receive.procReceiveRefs", None)?
                .for_each(|entry| {
                    found.extend(entry.value().map(str::to_owned));
                })?;
            Ok(found)
        });
        if !asked.is_ok_and(|found| found == DEPLOYING) {
            flaws.push("its receive.procReceiveRefs is not what Teal set".to_owned());
        }
        flaws
    }

    fn configure(&self, largest: u64) -> Result<(), git2::Error> {
        let mut config = self.git.config()?;
        // What this repository's own file says already, so that nothing is written when nothing changes.
        let set = |config: &mut Config, key: &str, value: &str| match config.get_string(key) {
            Ok(found) if found == value => Ok(()),
            _ => config.set_str(key, value),
        };
        set(&mut config, "receive.advertisePushOptions", "true")?;
        set(&mut config, "receive.fsckObjects", "true")?;
        set(&mut config, "receive.denyDeletes", "false")?;
        set(&mut config, "receive.maxInputSize", &largest.to_string())?;
        // Whoever was told that a push landed finds it after a power cut.
        set(&mut config, "core.fsync", "all")?;
        for id in OLD_MISTAKES {
            set(&mut config, &format!("receive.fsck.{id}"), "warn")?;
        }
        // A forced push is a wish like any other; what serves is held by a ref of the server's own.
        set(&mut config, "receive.denyNonFastForwards", "false")?;
        // Collection in the middle of a push would compete with the deployment for the disk.
        set(&mut config, "receive.autogc", "false")?;
        set(&mut config, "gc.auto", "0")?;
        replace_all(&mut config, "receive.procReceiveRefs", &DEPLOYING)?;
        replace_all(
            &mut config,
            "transfer.hideRefs",
            &["refs/teal", "refs/teal-remote"],
        )
    }

    fn install_hooks(&self, hook: &Path) -> Result<HooksInstalled, GitError> {
        let folder = self.path.join("hooks");
        fs::create_dir_all(&folder).at("create", &folder)?;
        let mut installed = HooksInstalled::default();
        for name in HOOKS {
            let place = folder.join(name);
            match fs::symlink_metadata(&place) {
                Ok(found) if found.is_symlink() => {
                    let target = fs::read_link(&place).at("read the link", &place)?;
                    if target == hook {
                        continue;
                    }
                    // An earlier version of the same program may have been elsewhere; anything else is a stranger's.
                    if target.file_name() != hook.file_name() {
                        installed.moved_aside.push(move_aside(&place)?);
                    }
                }
                Ok(_) => installed.moved_aside.push(move_aside(&place)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => Err(error).at("look at", &place)?,
            }
            symlink_atomic(hook, &place)?;
        }
        Ok(installed)
    }
}

/// Gives a hook of somebody else a name that git does not run, without losing an earlier one kept the same way.
fn move_aside(place: &Path) -> Result<PathBuf, GitError> {
    let name = place
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut kept = place.with_file_name(format!("{name}.before-teal"));
    let mut number = 2;
    while fs::symlink_metadata(&kept).is_ok() {
        kept = place.with_file_name(format!("{name}.before-teal-{number}"));
        number += 1;
    }
    fs::rename(place, &kept).at("move aside", place)?;
    Ok(kept)
}

fn replace_all(config: &mut Config, key: &str, values: &[&str]) -> Result<(), git2::Error> {
    let mut found = Vec::new();
    config.multivar(key, None)?.for_each(|entry| {
        if let Ok(value) = entry.value() {
            found.push(value.to_owned());
        }
    })?;
    if found == values {
        return Ok(());
    }
    if !found.is_empty() {
        config.remove_multivar(key, ".*")?;
    }
    for value in values {
        // A pattern that matches nothing makes libgit2 add instead of replace.
        config.set_multivar(key, "^$", value)?;
    }
    Ok(())
}
