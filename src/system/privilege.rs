//! What a process may do beyond its user.

use nix::errno::Errno;
use nix::libc;
use std::io;

/// Gives up the capabilities that programs started from here on would inherit. A service manager hands the server the one
/// for ports below 1024; it is for the proxy, not for what is deployed.
pub fn keep_from_children() -> io::Result<()> {
    // SAFETY: plain numbers; the call changes this thread's ambient set only.
    let done = unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL,
            0,
            0,
            0,
        )
    };
    match Errno::result(done) {
        // A kernel that does not know the set has nothing in it.
        Ok(_) | Err(Errno::EINVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
