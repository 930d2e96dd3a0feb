//! What should serve and does not.

use crate::web::types::{EnvironmentStatus, Finding, Status};

const AREA: &str = "services";

/// Every environment that something was deployed to.
pub(super) fn look(status: &Status) -> Vec<Finding> {
    let mut found: Vec<Finding> = status.environments.iter().filter_map(down).collect();
    for seen in &status.environments {
        let fix = format!(
            "teal restart {} (it drops no request); what is no link has to be moved away before",
            seen.env
        );
        let warnings = seen.warnings.iter();
        found.extend(
            warnings
                .map(|text| Finding::warning(AREA, format!("{}: {text}", seen.env), fix.as_str())),
        );
    }
    if found.is_empty() {
        let serve = status
            .environments
            .iter()
            .filter(|seen| seen.active.is_some());
        let (serve, all) = (serve.count(), status.environments.len());
        found.push(Finding::good(
            AREA,
            format!("{serve} of {all} environments serve a release"),
        ));
    }
    found
}

fn down(seen: &EnvironmentStatus) -> Option<Finding> {
    let active = seen.active?;
    let slot = seen.slots.iter().find(|slot| slot.color == active)?;
    let env = &seen.env;
    (slot.processes.is_empty() && seen.open.is_empty()).then(|| {
        Finding::problem(
            AREA,
            format!("{env}: {active} should serve, and no process of it runs"),
            format!("teal restart {env}; why it ended: teal logs {env}"),
        )
    })
}
