use super::{Identity, PidFd, Stat, was_started_with};
use crate::system::cgroup::Group;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Everything that one process brought into the world, found in all the ways in which its children can hide: by parent,
/// by session, by an entry in the environment they were started with, and by control group.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Processes whose descendants belong to the tree. They themselves are not members.
    pub ancestors: Vec<Identity>,
    /// A process that is a member, as is its session and all its descendants.
    pub main: Option<Identity>,
    /// `NAME=value` in a member's environment.
    pub marker: Option<String>,
    /// The group that members are in.
    pub group: Option<Group>,
}

/// Processes that could not be killed: stuck in the kernel, or not ours to signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} processes could not be killed: {pids:?}", pids.len())]
pub struct Survivors {
    /// Their numbers.
    pub pids: Vec<i32>,
}

impl Tree {
    /// The members that run now.
    pub fn members(&self) -> io::Result<Vec<Stat>> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        if self.is_surely_empty(own) {
            return Ok(Vec::new());
        }
        let all = Stat::all()?;
        let grouped: BTreeSet<i32> = match &self.group {
            Some(group) => group.pids().into_iter().collect(),
            None => BTreeSet::new(),
        };
        let mut inside: BTreeSet<i32> = all
            .iter()
            .filter(|stat| grouped.contains(&stat.pid) || self.is_member(stat))
            .map(|stat| stat.pid)
            .collect();
        let roots: BTreeSet<i32> = all
            .iter()
            .filter(|stat| self.ancestors.contains(&stat.identity()))
            .map(|stat| stat.pid)
            .collect();
        // Children of members are members; each round reaches one generation further down.
        loop {
            let before = inside.len();
            let born = all
                .iter()
                .filter(|stat| roots.contains(&stat.parent) || inside.contains(&stat.parent));
            inside.extend(born.map(|stat| stat.pid).collect::<Vec<_>>());
            if inside.len() == before {
                break;
            }
        }
        let is_member = |stat: &Stat| {
            inside.contains(&stat.pid)
                && stat.pid != own
                && !roots.contains(&stat.pid)
                && stat.runs()
        };
        Ok(all.into_iter().filter(is_member).collect())
    }

    /// Whether nobody has to be looked for: only our own descendants are members, and without children there are none.
    /// The look at every process of the machine takes longer than many a command.
    fn is_surely_empty(&self, own: i32) -> bool {
        let only_own = self.main.is_none()
            && self.marker.is_none()
            && self.ancestors.iter().all(|who| who.pid == own);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        only_own
            && waitid(Id::All, flags) == Err(Errno::ECHILD)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group.pids().iter().all(|pid| *pid == own))
    }

    /// Sends `signal` to those members that `chosen` picks; tells how many got it.
    pub fn signal(&self, signal: Signal, chosen: impl Fn(&Stat) -> bool) -> io::Result<usize> {
        let members = self.members()?;
        let sent = members
            .iter()
            .filter(|stat| chosen(stat))
            .filter(|stat| send(stat.identity(), signal));
        Ok(sent.count())
    }

    /// Kills all members until none is seen, `collect`ing the dead in between; tells how many there were. They are stopped
    /// first, so that one that multiplies cannot outrun its end.
    pub fn kill(&self, patience: Duration, mut collect: impl FnMut()) -> Result<usize, KillError> {
        let deadline = Instant::now() + patience;
        let mut seen: BTreeSet<Identity> = BTreeSet::new();
        self.stop_all(&mut seen)?;
        if seen.is_empty() {
            // The look that found nobody need not be taken again: it costs one at every process of the machine.
            return Ok(0);
        }
        loop {
            // Who was a member once stays one, even if what showed it (a living leader) is gone.
            seen.extend(self.members()?.iter().map(Stat::identity));
            let alive: Vec<Identity> = seen.iter().copied().filter(|who| who.is_alive()).collect();
            if alive.is_empty() {
                return Ok(seen.len());
            }
            if let Some(group) = &self.group {
                group.kill();
            }
            for who in &alive {
                send(*who, Signal::SIGKILL);
            }
            collect();
            if Instant::now() > deadline {
                let pids = alive.iter().map(|who| who.pid).collect();
                return Err(Survivors { pids }.into());
            }
            wait_for_an_end(&alive);
        }
    }

    fn stop_all(&self, seen: &mut BTreeSet<Identity>) -> io::Result<()> {
        const ROUNDS: usize = 50;
        for _ in 0..ROUNDS {
            let fresh: Vec<Identity> = self
                .members()?
                .iter()
                .map(Stat::identity)
                .filter(|who| !seen.contains(who))
                .collect();
            if fresh.is_empty() {
                break;
            }
            for who in fresh {
                seen.insert(who);
                send(who, Signal::SIGSTOP);
            }
        }
        Ok(())
    }

    fn is_member(&self, stat: &Stat) -> bool {
        if let Some(main) = self.main {
            // A session's number is its leader's, and says nothing once the leader is gone and the number may be
            // another's. Until then nobody else's session can have it.
            let same_session = stat.session == main.pid && main.is_alive();
            if stat.identity() == main || same_session {
                return true;
            }
        }
        self.marker
            .as_deref()
            .is_some_and(|entry| was_started_with(stat.pid, entry))
    }
}

/// Returns as soon as one of them has ended; after a while in any case, because new ones may have come meanwhile.
fn wait_for_an_end(alive: &[Identity]) {
    const WHILE: u16 = 50;
    let held: Vec<PidFd> = alive
        .iter()
        .filter_map(|who| PidFd::open(*who).ok().flatten())
        .collect();
    let mut fds: Vec<PollFd> = held
        .iter()
        .map(|held| PollFd::new(held.as_fd(), PollFlags::POLLIN))
        .collect();
    // Interrupted, or short of memory: the next round finds out what has happened.
    let _ = nix::poll::poll(&mut fds, WHILE);
}

fn send(who: Identity, signal: Signal) -> bool {
    matches!(PidFd::open(who), Ok(Some(held)) if held.signal(signal).unwrap_or(false))
}

/// Why a tree could not be seen empty.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// Some members live on.
    #[error(transparent)]
    Survivors(#[from] Survivors),
    /// The list of processes could not be read.
    #[error("cannot read the list of processes: {0}")]
    Unreadable(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn children_that_left_the_session_are_found_and_killed() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "setsid sleep 61 & sleep 62 & echo up; wait"])
            .env("TEAL_TEST_MARK", "tree-1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let tree = Tree {
            main: Identity::of(child.id() as i32),
            marker: Some("TEAL_TEST_MARK=tree-1".to_owned()),
            ..Tree::default()
        };
        let killed = tree
            .kill(Duration::from_secs(20), || {
                let _ = child.try_wait();
            })
            .unwrap();
        assert!(killed >= 3, "{killed}");
        assert!(tree.members().unwrap().is_empty());
    }

    #[test]
    fn a_stranger_with_the_number_is_left_alone() {
        let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
        let now = Identity::of(stranger.id() as i32).unwrap();
        let before = Identity {
            start: now.start.saturating_sub(1),
            ..now
        };
        let tree = Tree {
            main: Some(before),
            ..Tree::default()
        };
        assert_eq!(tree.kill(Duration::from_secs(5), || ()).unwrap(), 0);
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
