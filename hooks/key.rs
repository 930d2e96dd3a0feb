//! What ssh runs for a limited key, whatever its owner asked for. A push to a repository that the key is for becomes git's
//! own `receive-pack`, whose hooks are told whose key it is; anything else is refused.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use teal::domain::{AppName, KeyName};
use teal::intake::hook_protocol::REPOSITORIES;
use teal::keys::{ONLY, Reach, USER, WORD};

/// Becomes the push; comes back only with a refusal.
pub fn run(words: &[String]) -> io::Error {
    match prepare(words) {
        Ok(mut push) => push.exec(),
        Err(why) => io::Error::other(why),
    }
}

fn prepare(words: &[String]) -> Result<Command, String> {
    let [word, state_dir, name, reach] = words else {
        return Err("this is what ssh runs for a limited key; nobody types it".to_owned());
    };
    let name: KeyName = name.parse().map_err(|wrong| format!("{wrong}"))?;
    let reach: Reach = reach.parse().map_err(|wrong| format!("{wrong}"))?;
    // Without a forced command sshd sets no such variable: whoever is logged in cannot pose as a key.
    let asked = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    let refused = || format!("the key {name} may push to {reach}, and do nothing else");
    let path = pushed_to(&asked)
        .filter(|_| word == WORD)
        .ok_or_else(refused)?;
    let repositories = Path::new(state_dir).join(REPOSITORIES);
    let (app, repository) = repository(&repositories, &path)
        .filter(|(app, _)| reach.has(app))
        .ok_or_else(refused)?;
    let mut push = Command::new("git");
    push.env_clear()
        .envs(
            ["HOME", "PATH", "USER", "LOGNAME"]
                .into_iter()
                .filter_map(kept),
        )
        .envs(
            kept("GIT_PROTOCOL").filter(|(_, value)| value == "version=1" || value == "version=2"),
        )
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env(USER, name.as_str())
        // Every ref of this push is the server's to judge, also those that deploy nothing.
        .args(["-c", "receive.procReceiveRefs=refs", "receive-pack"])
        .arg(repository);
    if let Some(only) = reach.only(&app) {
        push.env(ONLY, only.join(","));
    }
    Ok(push)
}

/// The environments that this push may reach, where a limited key pushes.
pub fn limits() -> Option<Vec<String>> {
    let only = std::env::var(ONLY).ok()?;
    Some(only.split(',').map(str::to_owned).collect())
}

fn kept(name: &'static str) -> Option<(&'static str, String)> {
    Some((name, std::env::var(name).ok()?))
}

/// The path that git wants to push to; nothing when it wants something else.
fn pushed_to(asked: &str) -> Option<String> {
    let rest = asked
        .strip_prefix("git-receive-pack ")
        .or_else(|| asked.strip_prefix("git receive-pack "))?;
    let inner = rest.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    // git quotes a `'` as `'\''`, and no path here has one.
    (!inner.contains('\'')).then(|| inner.to_owned())
}

/// The repository that a path means: its whole path, or the app's name alone.
fn repository(repositories: &Path, path: &str) -> Option<(AppName, PathBuf)> {
    let path = Path::new(path.trim_end_matches('/'));
    let name = path.file_name()?.to_str()?;
    let app: AppName = name.strip_suffix(".git").unwrap_or(name).parse().ok()?;
    let own = repositories.join(format!("{app}.git"));
    let folder = path.parent()?;
    let is_short = [Path::new(""), Path::new("/")].contains(&folder);
    let same = || {
        let there = std::fs::canonicalize(path).ok()?;
        (there == std::fs::canonicalize(&own).ok()?).then_some(())
    };
    (is_short || same().is_some()).then_some((app, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Noise, rounds};

    #[test]
    fn only_a_push_is_a_push() {
        assert_eq!(
            pushed_to("git-receive-pack '/srv/a b.git'").as_deref(),
            Some("/srv/a b.git")
        );
        for other in [
            "",
            "sh",
            "git-upload-pack '/srv/shop.git'",
            "git-receive-pack /srv/shop.git",
            "git-receive-pack '/srv/shop.git'; sh'",
            "git-receive-pack '/srv/shop.git' '--help'",
            "git-receive-pack-x '/srv/shop.git'",
            " git-receive-pack '/srv/shop.git'",
        ] {
            assert_eq!(pushed_to(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_leads_to_an_apps_repository_or_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["shop.git", "blog.git"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let found = |path: &str| repository(root, path).map(|(app, _)| app.to_string());
        let whole = root.join("shop.git").display().to_string();
        for good in [whole.as_str(), "shop", "shop.git", "/shop.git", "shop.git/"] {
            assert_eq!(found(good).as_deref(), Some("shop"), "{good}");
        }
        let up = format!("{}/../shop.git", root.join("blog.git").display());
        assert_eq!(found(&up).as_deref(), Some("shop"));
        for bad in ["", "/", "..", "/etc/passwd", "/etc/shop.git", "--help"] {
            assert_eq!(found(bad), None, "{bad}");
        }
    }

    #[test]
    fn whatever_ssh_asks_for_leads_to_an_apps_repository_or_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("shop.git")).unwrap();
        let own = root.join("shop.git");
        let asked = format!("git-receive-pack '{}'", own.display());
        let mut noise = Noise::new(6);
        for _ in 0..rounds(2000) {
            let words = noise.spoilt(&[
                &asked,
                "git-receive-pack 'shop'",
                "git receive-pack '/shop.git'",
            ]);
            let Some(path) = pushed_to(&String::from_utf8_lossy(&words)) else {
                continue;
            };
            if let Some((app, found)) = repository(root, &path) {
                assert_eq!(found, root.join(format!("{app}.git")), "{path:?}");
            }
            let _ = path.parse::<Reach>();
        }
    }
}
