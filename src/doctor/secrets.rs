//! Who may read what nobody else may read, and write what says what runs. The files that `teal.toml` names were looked at when
//! it was read.

use crate::config::{Proxy, Server};
use crate::system::users;
use crate::web::types::Finding;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const AREA: &str = "secrets";
/// What the unit reads variables from.
const VARIABLES: &str = "/etc/teal/secrets.env";

/// The modes of secret files and folders.
pub(super) fn look(server: &Server) -> Vec<Finding> {
    let mut secret: Vec<PathBuf> = vec![
        PathBuf::from(VARIABLES),
        server.state_dir.join("env"),
        server.state_dir.join("teal.db"),
    ];
    if let Proxy::Embedded(embedded) = &server.proxy {
        let tls = embedded.tls.iter().flat_map(|tls| &tls.certificates);
        secret.extend(tls.map(|pair| pair.key.clone()));
    }
    let mut found: Vec<Finding> = secret.iter().filter_map(|path| read(path)).collect();
    found.extend(written(&server.file));
    found.extend(strange_owner(server));
    if found.is_empty() {
        found.push(Finding::good(AREA, "only their owner may read them"));
    }
    found
}

/// A secret that others may read. What is not there is no secret, and what may not even be looked at is kept well.
fn read(path: &Path) -> Option<Finding> {
    let facts = fs::metadata(path).ok()?;
    let open = match facts.is_dir() {
        // The names in a folder are no secret, but who may go in may try.
        true => 0o077,
        false => 0o007,
    };
    let mode = facts.mode() & 0o7777;
    let shown = path.display();
    let wanted = if facts.is_dir() { "700" } else { "600" };
    (mode & open != 0).then(|| {
        Finding::problem(
            AREA,
            format!("{shown} is open to others (mode {mode:04o})"),
            format!("chmod {wanted} {shown}"),
        )
    })
}

/// Who may write `teal.toml` says what runs here.
fn written(file: &Path) -> Option<Finding> {
    let mode = fs::metadata(file).ok()?.mode() & 0o7777;
    let shown = file.display();
    (mode & 0o002 != 0).then(|| {
        Finding::problem(
            AREA,
            format!("everybody may write {shown} (mode {mode:04o})"),
            format!("chmod o-w {shown}"),
        )
    })
}

/// State that belongs to another user than what lies in it: somebody typed `teal serve` as root.
fn strange_owner(server: &Server) -> Option<Finding> {
    let state_dir = &server.state_dir;
    let owner = fs::metadata(state_dir).ok()?.uid();
    let repositories = server.apps.keys().map(|app| server.repo_path(app));
    let other = ["teal.db", "repos", "run", "logs", "cache", "env"]
        .iter()
        .map(|name| state_dir.join(name))
        .chain(repositories)
        .find(|path| fs::metadata(path).is_ok_and(|facts| facts.uid() != owner))?;
    let name = users::by_uid(owner).name;
    let other_name = users::by_uid(fs::metadata(&other).ok()?.uid()).name;
    Some(Finding::problem(
        AREA,
        format!(
            "{} belongs to {other_name}, and {} to {name}",
            other.display(),
            state_dir.display()
        ),
        format!("chown -R {name}: {}", state_dir.display()),
    ))
}
