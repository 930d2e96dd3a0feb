//! The forges as those that are told: commit statuses everywhere, deployments where there are such, and a comment.

mod gitea;
mod github;
mod github_client;
mod github_comment;
mod gitlab;
mod state;

pub use gitea::Gitea;
pub use github::GitHub;
pub use gitlab::GitLab;
