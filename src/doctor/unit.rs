//! The systemd unit that runs the server.

use crate::web::types::Finding;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

const AREA: &str = "unit";
/// What the unit has to say so that services outlive the server, and why.
const WANTED: [(&str, &str, &str); 2] = [
    (
        "KillMode",
        "process",
        "a restart stops the services as well",
    ),
    ("Delegate", "yes", "services get no control groups"),
];

/// The unit as systemd knows it.
pub(super) fn look() -> Vec<Finding> {
    if !Path::new("/run/systemd/system").is_dir() {
        return vec![Finding::unknown(
            AREA,
            "this machine does not run systemd",
            "let whatever starts the server start it again when it ends",
        )];
    }
    let mut show = Command::new("systemctl");
    show.args(["show", "teal.service", "--no-pager"])
        .arg("--property=LoadState,UnitFileState,ActiveState,NeedDaemonReload,KillMode,Delegate")
        .stdin(Stdio::null());
    match show.output() {
        Ok(output) if output.status.success() => judged(&String::from_utf8_lossy(&output.stdout)),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            vec![unseen(&words)]
        }
        Err(error) => vec![unseen(&error.to_string())],
    }
}

fn unseen(words: &str) -> Finding {
    let fix = "type it as root where systemctl works: systemctl status teal";
    Finding::unknown(AREA, format!("systemctl: {words}"), fix)
}

fn judged(shown: &str) -> Vec<Finding> {
    let values: BTreeMap<&str, &str> = shown
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let value = |key: &str| values.get(key).copied().unwrap_or_default();
    if value("LoadState") != "loaded" {
        return vec![Finding::warning(
            AREA,
            "there is no teal.service: nobody starts the server after a reboot",
            "sudo install -m 644 config/teal.service /etc/systemd/system/ && sudo systemctl enable --now teal",
        )];
    }
    let mut found = Vec::new();
    if value("ActiveState") != "active" {
        let what = format!("teal.service is {}", value("ActiveState"));
        let fix = "systemctl start teal; why it ended: journalctl -u teal -n 50";
        found.push(Finding::problem(AREA, what, fix));
    }
    if !matches!(
        value("UnitFileState"),
        "enabled" | "enabled-runtime" | "static"
    ) {
        let what = "teal.service is not enabled: nobody starts it after a reboot";
        found.push(Finding::warning(AREA, what, "systemctl enable teal"));
    }
    if value("NeedDaemonReload") == "yes" {
        let what = "teal.service was changed, and systemd has not read it again";
        found.push(Finding::warning(AREA, what, "systemctl daemon-reload"));
    }
    for (key, wanted, else_) in WANTED {
        if value(key) != wanted {
            let what = format!("teal.service has {key}={}: {else_}", value(key));
            let fix = format!("{key}={wanted} in the unit, as in config/teal.service");
            found.push(Finding::problem(AREA, what, fix));
        }
    }
    if found.is_empty() {
        found.push(Finding::good(
            AREA,
            "teal.service is active, and starts after a reboot",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(shown: &str) -> String {
        let lines = judged(shown).into_iter().map(|found| {
            let fix = found.fix.unwrap_or_default();
            format!("{:?}: {} | {fix}", found.health, found.what)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    const WELL: &str = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                        NeedDaemonReload=no\nKillMode=process\nDelegate=yes\n";

    #[test]
    fn a_unit_is_well_or_each_of_its_flaws_is_told() {
        insta::assert_snapshot!(said(WELL), @"Good: teal.service is active, and starts after a reboot | ");
        let ill = WELL
            .replace("=active", "=failed")
            .replace("=enabled", "=disabled")
            .replace("=process", "=control-group")
            .replace("Reload=no", "Reload=yes");
        insta::assert_snapshot!(said(&ill), @r"
        Problem: teal.service is failed | systemctl start teal; why it ended: journalctl -u teal -n 50
        Warning: teal.service is not enabled: nobody starts it after a reboot | systemctl enable teal
        Warning: teal.service was changed, and systemd has not read it again | systemctl daemon-reload
        Problem: teal.service has KillMode=control-group: a restart stops the services as well | KillMode=process in the unit, as in config/teal.service
        ");
        insta::assert_snapshot!(said("LoadState=not-found\n"), @"Warning: there is no teal.service: nobody starts the server after a reboot | sudo install -m 644 config/teal.service /etc/systemd/system/ && sudo systemctl enable --now teal");
    }
}
