//! Users of this machine, and where their programs are.

use super::folder::Owner;
use nix::unistd::{Uid, User};
use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

/// A user as processes are told about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name; the number when the machine knows no name.
    pub name: String,
    /// The home folder; `/` when the machine knows none.
    pub home: String,
}

/// The user that this process runs as.
pub fn own() -> Person {
    of(Uid::effective())
}

/// The user of that number.
pub fn by_uid(uid: u32) -> Person {
    of(Uid::from_raw(uid))
}

/// The user of that name, if this machine has one: as processes are told about them, and as the kernel knows them.
pub fn named(name: &str) -> Option<(Person, Owner)> {
    let user = User::from_name(name).ok().flatten()?;
    let owner = Owner {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    };
    Some((of(user.uid), owner))
}

/// Lets root go on as the user who owns this folder, for good: what root makes there is of no use to them.
pub fn become_owner(folder: &Path) -> io::Result<()> {
    let owner = fs::metadata(folder).map_or(0, |facts| facts.uid());
    if !is_root() || owner == 0 {
        return Ok(());
    }
    let user = User::from_uid(Uid::from_raw(owner))?;
    let user = user.ok_or_else(|| io::Error::other(format!("there is no user {owner}")))?;
    let name = CString::new(user.name)?;
    nix::unistd::initgroups(&name, user.gid)?;
    nix::unistd::setgid(user.gid)?;
    nix::unistd::setuid(user.uid)?;
    Ok(())
}

/// Whether this process may act for everybody.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Whether the user of that number may act for this process: the same one, or root.
pub fn may_act(uid: u32) -> bool {
    uid == 0 || uid == Uid::effective().as_raw()
}

fn of(uid: Uid) -> Person {
    match User::from_uid(uid) {
        Ok(Some(user)) => Person {
            name: user.name,
            home: user.dir.display().to_string(),
        },
        _ => Person {
            name: uid.to_string(),
            home: "/".to_owned(),
        },
    }
}

/// Where programs are looked for: the server's own `PATH`, because that is where its admin put node, python and cargo.
pub fn search_path() -> String {
    std::env::var("PATH")
        .ok()
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
        })
}
