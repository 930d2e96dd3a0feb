//! What Teal uses of the kernel where it is there.

use crate::system::{cgroup, copy, process};
use crate::web::types::{Finding, Status};
use std::fs;
use std::path::Path;

const AREA: &str = "kernel";

/// Control groups, holds on processes, and files that share what they have in common.
pub(super) fn look(state_dir: Option<&Path>, status: Option<&Status>) -> Vec<Finding> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let held = process::Identity::own().map(process::PidFd::open);
    let mut found = vec![match held {
        Some(Ok(Some(_))) => Finding::good(AREA, format!("Linux {release} has pidfd")),
        _ => Finding::problem(
            AREA,
            format!("Linux {release} has no pidfd: processes cannot be told apart for sure"),
            "use Linux 5.3 or newer; in a container, let it call pidfd_open",
        ),
    }];
    found.extend(status.map(|status| groups(status.pid)));
    found.extend(state_dir.map(sharing));
    found
}

fn groups(pid: u32) -> Finding {
    match cgroup::is_delegated(pid) {
        Some(true) => Finding::good(AREA, "each service and build has a control group"),
        Some(false) => Finding::warning(
            AREA,
            "the server may make no control groups: limits hold for each process by itself",
            "Delegate=yes in the unit, as in config/teal.service; then: systemctl restart teal",
        ),
        None => Finding::unknown(
            AREA,
            "nobody may see the server's control group from here",
            "type it as root",
        ),
    }
}

/// No reflinks are no mistake: files are then copied.
fn sharing(state_dir: &Path) -> Finding {
    match copy::shares(state_dir) {
        Ok(true) => Finding::good(AREA, "copies of files share their blocks (reflink)"),
        Ok(false) => Finding::good(
            AREA,
            "no reflinks on this disk: files are copied (btrfs and xfs would share them)",
        ),
        Err(error) => Finding::unknown(
            AREA,
            format!("cannot try reflinks in {}: {error}", state_dir.display()),
            "type it as root",
        ),
    }
}
