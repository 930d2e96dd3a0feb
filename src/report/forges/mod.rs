//! The forges as those that are told: commit statuses everywhere, deployments where there are such, and a comment.

mod gitea;
mod gitea_api;
mod github;
mod github_client;
mod github_comment;
mod github_review;
mod gitlab;
mod gitlab_api;
mod state;

pub use gitea::Gitea;
pub use gitea_api::GiteaApi;
pub use github::GitHub;
pub use github_client::GitHubApi;
pub use github_review::{Review, Reviewer};
pub use gitlab::GitLab;
pub use gitlab_api::GitLabApi;
