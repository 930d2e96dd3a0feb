use super::Identity;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A hold on one process that cannot come to mean another one. It becomes readable when the process has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

/// How a process ended, as the kernel remembers it for those who held on to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// The wait status, as `waitpid` would have told it.
    pub status: i32,
}

impl PidFd {
    /// Takes hold of exactly this process; nothing when it is gone, even if its number is in use again.
    pub fn open(who: Identity) -> io::Result<Option<PidFd>> {
        // SAFETY: pidfd_open takes a number and flags, touches no memory of ours, and returns a new descriptor.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, who.pid, 0) };
        let raw = match Errno::result(raw) {
            Ok(raw) => raw,
            Err(Errno::ESRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let raw = i32::try_from(raw).map_err(io::Error::other)?;
        // SAFETY: the descriptor is fresh and ours alone.
        let fd = PidFd(unsafe { OwnedFd::from_raw_fd(raw) });
        // The number may have changed hands before it was opened; from here on it cannot.
        Ok((Identity::of(who.pid) == Some(who)).then_some(fd))
    }

    /// Sends a signal; false when the process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and a null siginfo is what the call documents for "as kill would".
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal as i32,
                nothing,
                0,
            )
        };
        match Errno::result(sent) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How the process ended, where the kernel (6.15 and later) remembers it for one who is not its parent.
    pub fn reaped(&self) -> Option<Reaped> {
        const ASK_EXIT: u64 = 1 << 3;
        let mut info = PidFdInfo {
            mask: ASK_EXIT,
            ..PidFdInfo::default()
        };
        // Read and write, the size, the group 0xFF and the number 11, as <linux/pidfd.h> makes PIDFD_GET_INFO.
        const REQUEST: libc::c_ulong =
            (3 << 30) | ((size_of::<PidFdInfo>() as libc::c_ulong) << 16) | (0xFF << 8) | 11;
        // SAFETY: the request's size is that of the struct it points to, which the kernel fills and nobody else sees.
        let answer = unsafe { libc::ioctl(self.0.as_raw_fd(), REQUEST, &mut info) };
        (answer == 0 && info.mask & ASK_EXIT != 0).then_some(Reaped {
            status: info.exit_code,
        })
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The first version of the kernel's `struct pidfd_info`.
#[repr(C)]
#[derive(Default)]
struct PidFdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    uids: [u32; 8],
    exit_code: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_hold_names_one_process_for_good() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let who = Identity::of(child.id() as i32).unwrap();
        let held = PidFd::open(who).unwrap().unwrap();
        let other = Identity {
            start: who.start + 1,
            ..who
        };
        assert!(PidFd::open(other).unwrap().is_none());
        assert!(held.signal(Signal::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(!held.signal(Signal::SIGKILL).unwrap());
        assert!(PidFd::open(who).unwrap().is_none());
    }
}
