use crate::domain::{CommitId, Deployment, DeploymentId, EnvId, Kind, Mode, Origin, State};
use crate::store::environments::Release;

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// These deployments will make it live, or have been asked to already.
    Deployments(Vec<Queued>),
    /// There is nothing to deploy, and why.
    Nothing(String),
}

/// A deployment that a push asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: DeploymentId,
    /// Where it deploys to.
    pub env: EnvId,
}

/// A wish for one environment that does not come from a pushed ref.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where.
    pub env: EnvId,
    /// What kind of attempt.
    pub kind: Kind,
    /// Which commit.
    pub commit: CommitId,
    /// The ref or word that named the commit.
    pub ref_name: String,
    /// Who asks.
    pub by: String,
    /// By which door.
    pub origin: Origin,
    /// Incremental or from scratch.
    pub mode: Mode,
    /// Deploy although the commit serves already.
    pub redeploy: bool,
    /// Leave the test step out.
    pub skip_tests: bool,
    /// The interrupted deployment that this one tries again.
    pub retry_of: Option<DeploymentId>,
    /// Do not wait for the end of a freeze.
    pub now: bool,
}

impl Wish {
    /// The deployment that carries it out, as it is before it is numbered.
    pub(super) fn into_deployment(self, now: i64) -> Deployment {
        Deployment {
            id: 0,
            env: self.env,
            kind: self.kind,
            commit: self.commit,
            ref_name: self.ref_name,
            by: self.by,
            origin: self.origin,
            mode: self.mode,
            redeploy: self.redeploy,
            skip_tests: self.skip_tests,
            state: State::Queued,
            color: None,
            env_digest: None,
            restore_point: None,
            ci: None,
            approval: None,
            retry_of: self.retry_of,
            created_ms: now,
            started_ms: None,
            switched_ms: None,
            ended_ms: None,
            failure: None,
            receipt: None,
        }
    }

    /// A release that is there already, once more or elsewhere. It is never built from scratch: that would make something
    /// else than what was tried.
    pub fn of_release(
        (env, kind): (EnvId, Kind),
        release: &Release,
        (by, origin): (&str, Origin),
    ) -> Wish {
        Wish {
            env,
            kind,
            commit: release.commit.clone(),
            ref_name: release.ref_name.clone(),
            by: by.to_owned(),
            origin,
            mode: Mode::Fast,
            redeploy: true,
            skip_tests: false,
            retry_of: None,
            now: false,
        }
    }

    /// The same once more.
    pub fn again(earlier: &Deployment) -> Wish {
        Wish {
            env: earlier.env.clone(),
            kind: earlier.kind.clone(),
            commit: earlier.commit.clone(),
            ref_name: earlier.ref_name.clone(),
            by: earlier.by.clone(),
            origin: earlier.origin,
            mode: earlier.mode,
            redeploy: earlier.redeploy,
            skip_tests: earlier.skip_tests,
            retry_of: None,
            now: false,
        }
    }
}
