//! Which Teal this is, and whether the one that runs is the one that is installed.

use crate::setup;
use crate::web::types::{Finding, Status};
use std::fs;

const AREA: &str = "versions";
const OWN: &str = env!("CARGO_PKG_VERSION");

/// The programs, and the server beside them.
pub(super) fn look(status: Option<&Status>) -> Vec<Finding> {
    let mut found = vec![match status {
        Some(status) => compared(&status.version, is_replaced(status.pid)),
        None => Finding::good(AREA, format!("teal {OWN}")),
    }];
    if let Err(error) = setup::hook_program() {
        found.push(Finding::problem(
            AREA,
            error.to_string(),
            "install both: sudo install target/release/teal target/release/teal-hook /usr/local/bin/",
        ));
    }
    found
}

fn compared(server: &str, is_replaced: bool) -> Finding {
    const FIX: &str = "systemctl restart teal (it drops no request)";
    if server != OWN {
        let what = format!("the server is of version {server}, and this command of {OWN}");
        return Finding::warning(AREA, what, FIX);
    }
    match is_replaced {
        true => {
            let what = "the program was replaced after the server was started";
            Finding::warning(AREA, what, FIX)
        }
        false => Finding::good(AREA, format!("teal {OWN}, the server as well")),
    }
}

/// Whether another file lies now where the process was started from. Who may not look sees nothing wrong.
fn is_replaced(pid: u32) -> bool {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    exe.to_string_lossy().ends_with(" (deleted)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::Health;

    #[test]
    fn a_server_of_another_build_is_told() {
        assert_eq!(compared(OWN, false).health, Health::Good);
        assert_eq!(compared(OWN, true).health, Health::Warning);
        let other = compared("0.0.1", false);
        assert!(other.what.contains("of version 0.0.1"), "{}", other.what);
    }
}
