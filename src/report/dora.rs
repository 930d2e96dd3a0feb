//! The four figures that software delivery is compared by, from what was deployed.

use crate::domain::{Deployment, Kind, State};

/// The figures of one environment over some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dora {
    /// Deployments that became live.
    pub deployed: usize,
    /// The same per day.
    pub per_day: f64,
    /// The median from the push to the switch, in milliseconds.
    pub lead_ms: Option<i64>,
    /// How many of a hundred changes that reached visitors had to be taken back.
    pub failure_percent: Option<u32>,
    /// The median from the switch of a bad change until something good served again, in milliseconds.
    pub restore_ms: Option<i64>,
}

/// The figures out of an environment's deployments, newest first, over so many days.
pub fn dora(deployments: &[Deployment], days: f64) -> Dora {
    let oldest_first: Vec<&Deployment> = deployments.iter().rev().collect();
    let changes: Vec<&&Deployment> = oldest_first
        .iter()
        .filter(|one| one.kind.is_made_here() && one.switched_ms.is_some())
        .collect();
    let restored: Vec<i64> = oldest_first
        .iter()
        .enumerate()
        .filter_map(|(at, one)| restored(one, &oldest_first[at + 1..]))
        .collect();
    let live: Vec<&&&Deployment> = changes
        .iter()
        .filter(|one| one.state == State::Live)
        .collect();
    let leads = live
        .iter()
        .filter_map(|one| Some(one.switched_ms? - one.created_ms));
    Dora {
        deployed: live.len(),
        per_day: live.len() as f64 / days.max(1.0),
        lead_ms: median(leads.collect()),
        failure_percent: (!changes.is_empty()).then(|| {
            let percent = restored.len() * 100 / changes.len();
            u32::try_from(percent).unwrap_or(100).min(100)
        }),
        restore_ms: median(restored),
    }
}

/// How long visitors had a bad change: until it went back by itself, or until a rollback that came next served.
fn restored(change: &Deployment, later: &[&Deployment]) -> Option<i64> {
    let switched = change.switched_ms.filter(|_| change.kind.is_made_here())?;
    match change.state {
        State::RolledBack => Some(change.ended_ms? - switched),
        State::Live => {
            let next = later.iter().find(|one| one.switched_ms.is_some())?;
            let is_rollback = matches!(next.kind, Kind::Rollback { .. });
            next.switched_ms
                .filter(|_| is_rollback)
                .map(|at| at - switched)
        }
        _ => None,
    }
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(
        kind: serde_json::Value,
        state: &str,
        from: i64,
        switched: Option<i64>,
    ) -> Deployment {
        let value = serde_json::json!({
            "id": 1, "env": "arq/production", "kind": kind, "commit": "1".repeat(40),
            "ref_name": "refs/heads/main", "by": "ada", "origin": "hook", "mode": "fast",
            "redeploy": false, "skip_tests": false, "state": state,
            "created_ms": from, "switched_ms": switched, "ended_ms": switched.unwrap_or(from) + 50,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_figures_are_of_what_reached_visitors() {
        let deploy = || serde_json::json!("deploy");
        let rollback = serde_json::json!({ "rollback": { "backup": null } });
        let newest_first = [
            deployment(deploy(), "failed", 900, None),
            deployment(rollback, "live", 700, Some(710)),
            deployment(deploy(), "live", 500, Some(560)),
            deployment(deploy(), "rolled_back", 300, Some(340)),
            deployment(deploy(), "live", 100, Some(120)),
        ];
        let figures = dora(&newest_first, 2.0);
        let expected = Dora {
            deployed: 2,
            per_day: 1.0,
            lead_ms: Some(60),
            failure_percent: Some(66),
            restore_ms: Some(150),
        };
        assert_eq!(figures, expected);
        assert_eq!(dora(&[], 30.0), Dora::default());
    }
}
