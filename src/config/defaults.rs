//! What holds when `teal.toml` does not say.

use nix::unistd::{Uid, User};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Webhooks, dashboard, API, metrics: this machine only.
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);
/// The embedded proxy.
pub(super) const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);
/// The server block by which Teal asks nginx which color answers.
pub(super) const VERIFY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9079);

/// The system's place for root and the user `teal`, a place in the home folder for everybody else.
pub(super) fn state_dir(env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let uid = Uid::effective();
    let is_teal = || matches!(User::from_uid(uid), Ok(Some(user)) if user.name == "teal");
    if uid.is_root() || is_teal() {
        PathBuf::from("/var/lib/teal")
    } else {
        of_ordinary_user(env)
    }
}

fn of_ordinary_user(env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let absolute = |name: &str| {
        env(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    match (absolute("XDG_STATE_HOME"), absolute("HOME")) {
        (Some(state), _) => state.join("teal"),
        (None, Some(home)) => home.join(".local/state/teal"),
        (None, None) => PathBuf::from("/var/lib/teal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_keeps_state_at_home() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            }
        };
        let both = env(&[("HOME", "/home/ann"), ("XDG_STATE_HOME", "/state")]);
        assert_eq!(of_ordinary_user(&both), PathBuf::from("/state/teal"));
        let relative = env(&[("HOME", "/home/ann"), ("XDG_STATE_HOME", "state")]);
        let home = PathBuf::from("/home/ann/.local/state/teal");
        assert_eq!(of_ordinary_user(&relative), home);
        assert_eq!(of_ordinary_user(&env(&[])), PathBuf::from("/var/lib/teal"));
    }
}
