use super::outcome::{Stop, Trouble};
use super::turns::Turns;
use crate::access::Access;
use crate::config::{App, Environment, Server};
use crate::domain::{AppName, CommitId, DeploymentId, EnvId};
use crate::journal::Journal;
use crate::release::{Shelf, Slots, Variables};
use crate::service::Services;
use crate::store::{StoreError, environments};
use crate::system::git::{GitError, Repo};
use crate::system::reserve;
use crate::traffic::Traffic;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What deployments are made with; one for the whole server.
pub struct Tools {
    /// The configuration.
    pub server: Arc<Server>,
    /// The journal.
    pub journal: Journal,
    /// What moves the traffic.
    pub traffic: Traffic,
    /// The running services.
    pub services: Services,
    /// This program, for the processes that it starts of itself.
    pub exe: PathBuf,
    /// One fetch at a time into each app's repository: git refuses a ref that another fetch is about to move.
    pub fetching: BTreeMap<AppName, Mutex<()>>,
    /// At most `build_slots` builds at a time, first come, first served.
    pub builds: Arc<Turns>,
}

impl Tools {
    /// Who may do what, and the trail of who did.
    pub fn access(&self) -> Access {
        Access::new(Arc::clone(&self.server), self.journal.store().clone())
    }

    /// Makes room for the way back: on a full disk, what is kept for it is given up.
    pub fn make_way(&self) {
        let state_dir = &self.server.state_dir;
        match reserve::give_up(state_dir) {
            Ok(true) => tracing::warn!(
                "the disk of {0} is full: the room that was kept for the way back is given up now; make room there (df -h {0})",
                state_dir.display()
            ),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the room for the way back cannot be used"),
        }
    }

    /// The app and the configuration of an environment; nothing when it is no longer configured.
    pub fn environment(&self, id: &EnvId) -> Option<(&App, &Environment)> {
        let app = self.server.apps.get(&id.app)?;
        let environment = app.environments.iter().find(|env| &env.id == id)?;
        Some((app, environment))
    }

    /// The environments that something was deployed to and that are no longer configured.
    pub async fn unconfigured(&self) -> Result<Vec<EnvId>, StoreError> {
        let mut known = self.journal.store().read(environments::serving).await?;
        known.retain(|env| self.environment(env).is_none());
        Ok(known)
    }

    /// The app's bare repository.
    pub fn repo_path(&self, app: &App) -> PathBuf {
        self.server.repo_path(&app.name)
    }

    /// Opens the app's bare repository.
    pub fn repo(&self, app: &App) -> Result<Repo, GitError> {
        Repo::open(&self.repo_path(app))
    }

    /// The environment's folders.
    pub fn slots(&self, env: &Environment) -> Slots {
        Slots::new(
            env.root.clone(),
            self.server.state_dir.join("cache/slots").join(env.id.key()),
        )
    }

    /// The environment's sealed releases.
    pub fn shelf(&self, env: &Environment) -> Shelf {
        Shelf::new(self.slots(env).backups())
    }

    /// The versions of the environment's own configuration.
    pub fn variables(&self, env: &EnvId) -> Variables {
        Variables::new(self.server.state_dir.join("env").join(env.key()))
    }

    /// Where people reach the environment: its first domain, or the host name that every environment has.
    pub fn url(&self, id: &EnvId) -> String {
        let host = self
            .environment(id)
            .and_then(|(_, env)| env.domains.first().cloned())
            .unwrap_or_else(|| format!("{}.{}.localhost", id.env, id.app));
        self.server.proxy.url(&host)
    }

    /// Where people read about a deployment.
    pub fn page(&self, id: DeploymentId) -> String {
        format!("{}/deployments/{id}", self.server.public_url)
    }

    /// The first line of a commit's message, if the commit is here.
    pub fn subject(&self, app: &AppName, commit: &CommitId) -> Option<String> {
        let repo = self.repo(self.server.apps.get(app)?).ok()?;
        Some(repo.commit_info(commit).ok()?.subject)
    }

    /// Where a deployment's step logs are.
    pub fn logs(&self, id: DeploymentId) -> PathBuf {
        self.server.state_dir.join("logs").join(id.to_string())
    }
}

/// Runs work that blocks (git, files) on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Trouble::new(format!("an internal error ended the step: {error}")).into())
        }
    }
}
