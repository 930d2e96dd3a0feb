//! What ends a deployment from outside: somebody cancels it, or goes back to an earlier release.

use super::{Worker, WorkerError};
use crate::domain::{Deployment, DeploymentId, EnvId, Kind, Origin, State};
use crate::journal::JournalError;
use crate::queue::{Queued, Wish};
use crate::store::deployments;

impl Worker {
    /// Stops a deployment, whatever it does: what it started is killed and seen gone before it counts as cancelled. One
    /// that serves already is rolled back.
    pub async fn cancel(&self, id: DeploymentId, by: &str) -> Result<Deployment, WorkerError> {
        let deployment = self.tools.journal.deployment(id).await?;
        if deployment.state.is_final() {
            return Err(WorkerError::Over(id, deployment.state));
        }
        let why = format!("cancelled by {by}");
        if self.pull(id, &why) {
            return self.ended(id).await;
        }
        match self
            .tools
            .journal
            .move_to(id, State::Cancelled, Some(why.clone()))
            .await
        {
            // It left the queue at this very moment.
            Err(JournalError::Illegal { .. }) if self.pull(id, &why) => self.ended(id).await,
            moved => Ok(moved?),
        }
    }

    /// Asks a deployment that runs to stop; false when it does not run.
    fn pull(&self, id: DeploymentId, why: &str) -> bool {
        let running = self.running();
        let found = running.values().find(|running| running.id == id);
        found.map(|running| running.cancel.pull(why)).is_some()
    }

    /// Waits until a deployment has ended.
    pub async fn ended(&self, id: DeploymentId) -> Result<Deployment, WorkerError> {
        let mut changes = self.tools.journal.changes();
        loop {
            changes.mark_unchanged();
            let deployment = self.tools.journal.deployment(id).await?;
            if deployment.state.is_final() || changes.changed().await.is_err() {
                return Ok(deployment);
            }
        }
    }

    /// Goes back: to the warm release, or to the named backup. What runs or waits in the environment is cancelled; a
    /// deployment that is being observed is what people want to get away from, so cancelling it is the rollback.
    pub async fn rollback(
        &self,
        env: &EnvId,
        backup: Option<String>,
        by: &str,
        door: Origin,
    ) -> Result<Queued, WorkerError> {
        self.tools.make_way();
        let id = env.clone();
        let open = self
            .tools
            .journal
            .store()
            .read(move |c| deployments::open(c, Some(&id)))
            .await;
        for deployment in open.map_err(JournalError::from)? {
            let ended = match self
                .cancel(deployment.id, &format!("{by} (rollback)"))
                .await
            {
                // It ended by itself meanwhile.
                Err(WorkerError::Over(..)) => continue,
                other => other?,
            };
            if ended.state == State::RolledBack && backup.is_none() {
                return Ok(Queued {
                    id: ended.id,
                    env: env.clone(),
                });
            }
        }
        let standing = self.tools.journal.standing(env).await?;
        let Some(serving) = standing.serving() else {
            return Err(WorkerError::NothingServes(env.clone()));
        };
        let other = standing
            .slots
            .of(standing.standby())
            .as_ref()
            .filter(|release| release.served);
        let target = other.unwrap_or(serving);
        let what = (env.clone(), Kind::Rollback { backup });
        let wish = Wish::of_release(what, target, (by, door));
        Ok(self.queue.ask(wish).await?)
    }
}
