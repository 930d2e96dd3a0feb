use super::Secret;
use crate::domain::EnvId;
use std::path::PathBuf;

/// Where and how the forge of an app is told how its deployments go.
#[derive(Debug, Clone)]
pub struct ForgeApi {
    /// The API's address, without a trailing slash.
    pub url: String,
    /// The repository there: `owner/name`; at GitLab with all its groups.
    pub project: String,
    /// Who Teal is there.
    pub login: ForgeLogin,
    /// Commit statuses.
    pub statuses: bool,
    /// Deployments and environments: GitHub and GitLab.
    pub deployments: bool,
    /// One comment on the merged pull request: GitHub.
    pub comments: bool,
    /// Whether another app of this server has the same repository, so that the environment's name alone does not tell.
    pub shared: bool,
}

impl ForgeApi {
    /// The environment as the forge knows it: with the app's name where several apps come from one repository.
    pub fn label(&self, env: &EnvId) -> String {
        match self.shared {
            true => env.to_string(),
            false => env.env.to_string(),
        }
    }
}

/// Who Teal is at a forge.
#[derive(Debug, Clone)]
pub enum ForgeLogin {
    /// Whoever the token belongs to.
    Token(Secret),
    /// An installation of a GitHub App.
    App {
        /// The app's id.
        id: u64,
        /// The installation's id.
        installation: u64,
        /// The app's private key, a PEM file.
        key: PathBuf,
    },
}
