//! Whether the server may make and write the folders of its environments.

use crate::config::{Environment, Server};
use crate::system::users;
use crate::web::types::Finding;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const AREA: &str = "folders";

/// Each environment's folder, as the owner of the server's own state would find it.
pub(super) fn look(server: &Server) -> Vec<Finding> {
    let Ok(state) = fs::metadata(&server.state_dir) else {
        return Vec::new();
    };
    let all: Vec<&Environment> = server.environments().collect();
    let closed = all
        .iter()
        .filter(|env| state.uid() != 0 && !may_write(&env.root, &state));
    let user = users::by_uid(state.uid()).name;
    let mut found: Vec<Finding> = closed.map(|env| told(&env.root, &user)).collect();
    if found.is_empty() {
        let s = if all.len() == 1 { "" } else { "s" };
        let what = format!(
            "{user} may write the folder{s} of {} environment{s}",
            all.len()
        );
        found.push(Finding::good(AREA, what));
    }
    found
}

fn told(root: &Path, user: &str) -> Finding {
    let shown = root.display();
    let what = match root.exists() {
        true => format!("{user} may not write {shown}"),
        false => format!("there is no {shown}, and {user} may not make it"),
    };
    let fix = format!("sudo install -d -o {user} -g {user} {shown}");
    Finding::warning(AREA, what, fix)
}

/// Whether the folder, or the nearest one above it that is there, lets in whoever owns the state. Groups that they were added
/// to are not seen from here.
fn may_write(root: &Path, state: &Metadata) -> bool {
    let there = root.ancestors().find_map(|path| fs::metadata(path).ok());
    there.is_none_or(|facts| {
        let bit = match () {
            () if facts.uid() == state.uid() => 0o200,
            () if facts.gid() == state.gid() => 0o020,
            () => 0o002,
        };
        facts.mode() & bit != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_writable_by_its_owner_and_what_is_missing_by_who_may_make_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = fs::metadata(dir.path()).unwrap();
        let root = dir.path().join("srv/shop");
        assert!(may_write(&root, &state));
        let srv = dir.path().join("srv");
        fs::create_dir(&srv).unwrap();
        fs::set_permissions(&srv, fs::Permissions::from_mode(0o555)).unwrap();
        assert!(!may_write(&root, &state));
        let found = told(&root, "teal");
        let fix = format!("sudo install -d -o teal -g teal {}", root.display());
        assert_eq!(found.fix, Some(fix));
        fs::set_permissions(&srv, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
