//! Control groups, where the machine allows them: one group for one service or job, so that no child of it can hide, so
//! that it can be killed in one stroke, and so that the kernel says when memory ran out. All of it is best effort: where
//! a group cannot be made, the process tree has to do.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The end of every group's name that is made here, by which they are told from those of others.
const SUFFIX: &str = ".teal";

/// One group: a folder in the unified hierarchy and one in each of the older hierarchies that limit, as far as they exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    /// Makes a group of this name below the one that the asking process is in; nothing where that is not allowed.
    pub fn create(name: &str) -> Option<Group> {
        Group::of(name, |folder| {
            let_count(folder);
            (fs::create_dir(folder).is_ok() || folder.is_dir())
                && writable(&folder.join("cgroup.procs")).is_some()
        })
    }

    /// The group of this name that was made before, if it is still there.
    pub fn find(name: &str) -> Option<Group> {
        Group::of(name, |folder| folder.is_dir())
    }

    fn of(name: &str, usable: impl Fn(&PathBuf) -> bool) -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let folders: Vec<PathBuf> = homes(&mounts, &own)
            .into_iter()
            .map(|home| home.join(format!("{name}{SUFFIX}")))
            .filter(usable)
            .collect();
        (!folders.is_empty()).then_some(Group { folders })
    }

    /// The doors of the group: a process that writes `0` to each of them is inside.
    pub fn doors(&self) -> Vec<File> {
        self.folders
            .iter()
            .filter_map(|folder| writable(&folder.join("cgroup.procs")))
            .collect()
    }

    /// Writes a value to the first of these files that the group has and takes it; whether one did.
    pub fn set(&self, files: &[&str], value: &str) -> bool {
        self.folders.iter().any(|folder| {
            files.iter().any(|file| {
                writable(&folder.join(file))
                    .is_some_and(|mut file| file.write_all(value.as_bytes()).is_ok())
            })
        })
    }

    /// Who is inside.
    pub fn pids(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self
            .folders
            .iter()
            .filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok())
            .flat_map(|text| {
                text.lines()
                    .filter_map(|line| line.parse().ok())
                    .collect::<Vec<_>>()
            })
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Kills all who are inside at once, where the kernel can.
    pub fn kill(&self) {
        for folder in &self.folders {
            if let Some(mut file) = writable(&folder.join("cgroup.kill")) {
                // Who remains is killed one by one by the caller.
                let _ = file.write_all(b"1");
            }
        }
    }

    /// How many processes of the group were killed for memory so far; nothing where nobody counts.
    pub fn oom_kills(&self) -> Option<u64> {
        self.folders
            .iter()
            .filter_map(|folder| {
                count(&folder.join("memory.events"), "oom_kill")
                    .or_else(|| count(&folder.join("memory.oom_control"), "oom_kill"))
            })
            .max()
    }

    /// Removes the group. The dead are in it until their parent has collected them; a group that stays is empty and harms
    /// nobody.
    pub fn remove(&self) {
        const TRIES: usize = 20;
        for folder in &self.folders {
            for _ in 0..TRIES {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// Whether groups can be made below the one that a process is in; nothing where that cannot be seen.
pub fn is_delegated(pid: u32) -> Option<bool> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let of = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let may_write = |home: PathBuf| {
        let is_fixed = rustix::fs::statvfs(&home)
            .is_ok_and(|told| told.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        let facts = fs::metadata(home).ok()?;
        let is_own = facts.uid() == owner && facts.mode() & 0o200 != 0;
        Some(!is_fixed && (owner == 0 || is_own))
    };
    Some(
        homes(&mounts, &of)
            .into_iter()
            .filter_map(may_write)
            .any(|may| may),
    )
}

/// Lets the groups beside this one count and limit, where whoever delegated this part of the hierarchy allows it. Not every
/// machine does, and then processes limit themselves.
fn let_count(folder: &Path) {
    let Some(above) = folder.parent() else { return };
    let words = |file: &str| fs::read_to_string(above.join(file)).unwrap_or_default();
    let (there, passed_on) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let has = |text: &str, name: &str| text.split_ascii_whitespace().any(|word| word == name);
    for controller in ["memory", "pids", "cpu", "io"] {
        // Each write waits for groups of the whole machine, also when it changes nothing.
        if !has(&there, controller) || has(&passed_on, controller) {
            continue;
        }
        if let Some(mut file) = writable(&above.join("cgroup.subtree_control")) {
            let _ = file.write_all(format!("+{controller}").as_bytes());
        }
    }
}

/// How many processes of the whole machine were killed for memory so far: what is left where no group counts.
pub fn machine_oom_kills() -> u64 {
    count(Path::new("/proc/vmstat"), "oom_kill").unwrap_or(0)
}

fn count(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok())?
    })
}

fn writable(path: &Path) -> Option<File> {
    OpenOptions::new().write(true).open(path).ok()
}

/// What a group limits, in the older hierarchies: each may have a tree of its own, or share one.
const OLDER: [&str; 4] = ["memory", "pids", "cpu", "blkio"];

/// The folders below which a group may be made: where this process is, in the unified hierarchy and in the older ones of
/// what is limited. Groups that were made here do not nest: a server in its own leaf makes its services beside itself.
fn homes(mounts: &str, own: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut add = |mount: Option<&str>, place: Option<&str>| {
        if let (Some(mount), Some(place)) = (mount, place)
            && let Some(folder) = below(mount, place)
            && !found.contains(&folder)
        {
            found.push(folder);
        }
    };
    let place = |wanted: &dyn Fn(&str) -> bool| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            parts.next().filter(|names| wanted(names))?;
            parts.next()
        })
    };
    let unified = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    add(unified, place(&str::is_empty));
    for name in OLDER {
        let among = |names: &str| names.split(',').any(|one| one == name);
        let mount = mounts
            .lines()
            .find(|line| line.contains(" - cgroup ") && line.rsplit(' ').next().is_some_and(among));
        add(mount, place(&among));
    }
    found
}

/// The folder of the group `place` in the hierarchy mounted as `mount` (a line of mountinfo) says.
fn below(mount: &str, place: &str) -> Option<PathBuf> {
    let mut words = mount.split(' ').skip(3);
    let (root, point) = (words.next()?, words.next()?);
    let inside = Path::new(place).strip_prefix(root).ok()?;
    let shared: PathBuf = inside
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().ends_with(SUFFIX))
        .collect();
    let plain = shared
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    plain.then(|| Path::new(point).join(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str =
        "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str =
        "33 30 0:29 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory";

    #[test]
    fn the_unified_hierarchy_is_found() {
        let homes = homes(V2, "0::/system.slice/teal.service\n");
        assert_eq!(
            homes,
            [PathBuf::from("/sys/fs/cgroup/system.slice/teal.service")]
        );
    }

    #[test]
    fn both_hierarchies_may_be_there_and_own_groups_do_not_nest() {
        let mounts = format!(
            "{V1}\n{}",
            V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
        );
        let homes = homes(&mounts, "4:memory:/box/web.teal\n0::/\n");
        let expected = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory/box"];
        assert_eq!(homes, expected.map(PathBuf::from));
    }

    #[test]
    fn older_hierarchies_that_are_one_are_found_once() {
        let mounts = V1
            .replace("/sys/fs/cgroup/memory", "/sys/fs/cgroup/all")
            .replace("rw,memory", "rw,memory,cpu,pids");
        let homes = homes(&mounts, "4:memory,cpu,pids:/box\n");
        assert_eq!(homes, [PathBuf::from("/sys/fs/cgroup/all/box")]);
    }

    #[test]
    fn under_the_unit_groups_are_made_beside_the_servers_own() {
        let homes = homes(V2, "0::/system.slice/teal.service/server.teal\n");
        assert_eq!(
            homes,
            [PathBuf::from("/sys/fs/cgroup/system.slice/teal.service")]
        );
    }

    #[test]
    fn a_place_outside_the_mount_is_no_home() {
        assert!(homes(V2, "0::/../other\n").is_empty());
    }
}
