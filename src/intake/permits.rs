//! What one push may do in the environments that its ref maps to.

use crate::access::{Access, AccessError, Permit, Want};
use crate::config::Environment;
use crate::domain::{Act, Actor, EnvId, Origin};
use crate::queue::Queued;

/// A yes for some environments, a no for others.
#[derive(Default)]
pub(super) struct Permits {
    granted: Vec<(EnvId, Permit)>,
    /// Why not in the others.
    pub refused: Vec<AccessError>,
}

impl Permits {
    /// Asks for each of the environments, and keeps the answers.
    pub async fn ask(
        access: &Access,
        actor: &Actor,
        door: Origin,
        about: &str,
        environments: &[&Environment],
    ) -> Permits {
        let mut permits = Permits::default();
        for env in environments {
            let want = Want {
                actor,
                door,
                act: Act::Deploy,
                env: &env.id,
                about,
            };
            match access.permit(want).await {
                Ok(permit) => permits.granted.push((env.id.clone(), permit)),
                Err(error) => permits.refused.push(error),
            }
        }
        permits
    }

    /// Whether it may deploy there.
    pub fn has(&self, env: &EnvId) -> bool {
        self.granted.iter().any(|(granted, _)| granted == env)
    }

    /// Whether it may do nothing of what it wanted.
    pub fn are_refused(&self) -> bool {
        self.granted.is_empty() && !self.refused.is_empty()
    }

    /// Says which deployments came of it.
    pub async fn made(self, queued: &[Queued]) {
        for (env, permit) in self.granted {
            if let Some(made) = queued.iter().find(|queued| queued.env == env) {
                permit.made(made.id).await;
            }
        }
    }
}
