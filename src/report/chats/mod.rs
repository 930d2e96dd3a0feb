//! Chats: each makes its own form of the one message.

mod discord;
mod mattermost;
mod slack;
mod slack_blocks;
mod teams;

pub use discord::Discord;
pub use mattermost::Mattermost;
pub use slack::{SlackBot, SlackWebhook};
pub use teams::Teams;

use super::News;
use crate::domain::DeploymentId;

/// Under which deployment a chat keeps its message: the same failure once more goes into the message of the first one.
fn subject(news: &News) -> String {
    let first: DeploymentId = match news.repeats() {
        Some(heard) => heard.first,
        None => news.deployment.id,
    };
    format!("deployment {first}")
}
