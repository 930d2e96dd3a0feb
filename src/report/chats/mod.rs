//! Chats: each makes its own form of the one message.

mod discord;
mod mattermost;
mod slack;
mod slack_blocks;
mod teams;

pub use discord::Discord;
pub use mattermost::Mattermost;
pub use slack::{SlackBot, SlackWebhook};
pub use slack_blocks::{APPROVE, REJECT};
pub use teams::Teams;

use super::News;
use super::memory::Memory;
use super::wire::Refusal;
use serde::de::DeserializeOwned;

/// The message that a chat keeps for this, and what it is filed under: the deployment's own one, or, for the same failure
/// once more, the one of the first.
async fn kept<T>(news: &News, memory: &Memory) -> Result<(String, Option<T>), Refusal>
where
    T: DeserializeOwned + Send + 'static,
{
    let own = format!("deployment {}", news.deployment.id);
    let found: Option<T> = memory.recall(own.clone()).await?;
    match (found, news.repeats()) {
        (None, Some(heard)) => {
            let first = format!("deployment {}", heard.first);
            let found = memory.recall(first.clone()).await?;
            Ok((first, found))
        }
        (found, _) => Ok((own, found)),
    }
}
