//! Deployments and environments for tests.

use crate::domain::{Color, CommitId, Deployment, DeploymentId, Kind, Mode, Origin, State};
use crate::web::types::{EnvironmentStatus, SlotStatus};

/// The moment of every test.
pub(super) const NOW: i64 = 1_795_000_000_000;
/// One minute.
pub(super) const MINUTE: i64 = 60_000;

/// A commit id that begins so.
pub(super) fn commit(start: &str) -> CommitId {
    format!("{start:0<40}").parse().unwrap()
}

/// A deployment of two hours ago.
pub(super) fn deployment(id: DeploymentId, env: &str, state: State) -> Deployment {
    let created_ms = NOW - 120 * MINUTE;
    Deployment {
        id,
        env: env.parse().unwrap(),
        kind: Kind::Deploy,
        commit: commit("1a2b3c4d5"),
        ref_name: "refs/heads/main".to_owned(),
        by: "ada".to_owned(),
        origin: Origin::Hook,
        mode: Mode::Fast,
        redeploy: false,
        skip_tests: false,
        state,
        color: None,
        env_digest: None,
        restore_point: None,
        ci: None,
        approval: None,
        retry_of: None,
        created_ms,
        started_ms: None,
        switched_ms: None,
        ended_ms: None,
        failure: None,
        receipt: None,
    }
}

/// A slot with a release in it and a `web` that runs.
pub(super) fn slot(color: Color, id: DeploymentId, start: &str, subject: &str) -> SlotStatus {
    SlotStatus {
        color,
        port: 3001,
        share: if color == Color::Blue { 100 } else { 0 },
        commit: Some(commit(start)),
        subject: Some(subject.to_owned()),
        deployment: Some(id),
        served: true,
        processes: [("web".to_owned(), 4711)].into(),
    }
}

/// A slot with nothing in it.
pub(super) fn empty(color: Color) -> SlotStatus {
    SlotStatus {
        color,
        port: 3002,
        share: 0,
        commit: None,
        subject: None,
        deployment: None,
        served: false,
        processes: Default::default(),
    }
}

/// An environment where blue serves.
pub(super) fn environment(env: &str, slots: Vec<SlotStatus>) -> EnvironmentStatus {
    EnvironmentStatus {
        env: env.parse().unwrap(),
        url: "https://arq-ai.ru".to_owned(),
        active: Some(Color::Blue),
        since_ms: None,
        slots,
        warm_until_ms: None,
        maintenance: false,
        hold: None,
        open: Vec::new(),
        last: None,
        desired: None,
        warnings: Vec::new(),
    }
}
