//! What one command or service may take of the machine: by its control group where there is one that counts, else by the
//! limits that every process has.

use super::cgroup::Group;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::io;

/// What a command or service may take, with everything that it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory; absent: as much as there is.
    pub memory: Option<u64>,
    /// Processes and threads; absent: as many as the machine allows.
    pub processes: Option<u64>,
    /// Whether it gives way to everything else.
    pub low: bool,
}

/// What a process has to limit for itself, because no group does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnLimits {
    memory: Option<u64>,
    processes: Option<u64>,
}

impl Limits {
    /// Limits the group; what it cannot do is left to the process. Counting a user's processes is only fair to a user who
    /// has nothing else here.
    pub fn hold(&self, group: Option<&Group>, own_user: bool) -> OwnLimits {
        let held = |file: &[&str], value: Option<u64>| match (group, value) {
            (Some(group), Some(value)) => group.set(file, &value.to_string()),
            _ => false,
        };
        let memory = held(&["memory.max", "memory.limit_in_bytes"], self.memory);
        let processes = held(&["pids.max"], self.processes);
        if self.low
            && let Some(group) = group
        {
            // A tenth of what others get while they want it, and all of what they do not want. The older files count on a
            // scale of their own.
            let _ = group.set(&["cpu.weight"], "10") || group.set(&["cpu.shares"], "102");
            let _ = group.set(&["io.weight"], "10") || group.set(&["blkio.weight"], "50");
        }
        OwnLimits {
            memory: self.memory.filter(|_| !memory),
            processes: self.processes.filter(|_| !processes && own_user),
        }
    }
}

impl OwnLimits {
    /// Limits the process that asks; makes system calls only, so that it may be called between fork and exec.
    pub fn take(&self) -> io::Result<()> {
        if let Some(bytes) = self.memory {
            // What a process may write to in memory; not its address space, of which runtimes reserve far more than they use.
            setrlimit(Resource::RLIMIT_DATA, bytes, bytes)?;
        }
        if let Some(count) = self.processes {
            setrlimit(Resource::RLIMIT_NPROC, count, count)?;
        }
        // A core holds the secrets of whoever died.
        Ok(setrlimit(Resource::RLIMIT_CORE, 0, 0)?)
    }
}

/// How much memory the machine has, in bytes, as far as it tells.
pub fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// As many descriptors as this process may have at a time.
pub fn descriptors() -> usize {
    // Where it cannot be asked, the least that a process is usually allowed.
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// Takes all the descriptors that this process is allowed: the usual soft limit of 1024 is for programs that still use
/// `select`.
pub fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // With fewer descriptors the process has fewer connections, that is all.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_group_the_process_limits_itself() {
        let limits = Limits {
            memory: Some(1 << 30),
            processes: Some(100),
            low: true,
        };
        let own = limits.hold(None, true);
        assert_eq!((own.memory, own.processes), (Some(1 << 30), Some(100)));
        assert_eq!(limits.hold(None, false).processes, None);
        assert!(machine_memory().unwrap() > 1 << 20);
    }
}
