use super::Secret;
use crate::domain::{AppName, EnvId, EnvName};
use std::path::PathBuf;

/// One `[[notify]]`: a place where people or programs are told, and what they hear there.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Its name: a plain word that no other one has.
    pub name: String,
    /// What it hears.
    pub hears: Hears,
    /// Where it is.
    pub place: Place,
}

/// Which turns of which deployments are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hears {
    /// The turns.
    pub events: Vec<Heard>,
    /// Of these apps; empty: of all.
    pub apps: Vec<AppName>,
    /// In these environments; empty: in all.
    pub environments: Vec<EnvName>,
}

impl Hears {
    /// Whether it hears of this environment at all.
    pub fn of(&self, env: &EnvId) -> bool {
        let app = self.apps.is_empty() || self.apps.contains(&env.app);
        app && (self.environments.is_empty() || self.environments.contains(&env.env))
    }

    /// Whether it hears of that.
    pub fn hears(&self, event: Heard) -> bool {
        self.events.contains(&event)
    }
}

/// The words of `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A deployment begins; where a message can be changed, it then follows the steps.
    Started,
    /// It is live.
    Live,
    /// It failed before the switch.
    Failed,
    /// It failed after the switch, and the release before it serves again.
    RolledBack,
    /// It is live, and the one before it was not.
    Recovered,
    /// It waits for CI, for a freeze to end, or for somebody's yes.
    Waiting,
}

/// Where people and programs are told.
#[derive(Debug, Clone)]
pub enum Place {
    /// Slack, as a bot that keeps one message up to date.
    SlackBot {
        /// `xoxb-…`, with the scope `chat:write`.
        token: Secret,
        /// The channel's id or name.
        channel: String,
        /// Slack's API, without a trailing slash.
        api_url: String,
        /// What Slack signs presses of buttons with; absent: there are no buttons.
        signing_secret: Option<Secret>,
    },
    /// Slack, by an incoming webhook.
    SlackWebhook(Secret),
    /// Discord, by a webhook.
    Discord(Secret),
    /// Mattermost, by an incoming webhook.
    Mattermost(Secret),
    /// Teams, by a workflow that posts adaptive cards.
    Teams(Secret),
    /// Mail.
    Mail(Mail),
    /// A program of one's own.
    Webhook {
        /// Where it takes the requests.
        url: Secret,
        /// What signs them.
        secret: Secret,
    },
}

impl Place {
    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::SlackBot { .. } | Place::SlackWebhook(_) => "slack",
            Place::Discord(_) => "discord",
            Place::Mattermost(_) => "mattermost",
            Place::Teams(_) => "teams",
            Place::Mail(_) => "mail",
            Place::Webhook { .. } => "webhook",
        }
    }
}

/// How mail is sent, and to whom.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender: `Teal <teal@example.com>`.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The mail server's host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: MailTls,
    /// Who Teal is there.
    pub login: Option<(String, Secret)>,
    /// A certificate to trust besides the system's: a PEM file.
    pub ca: Option<PathBuf>,
}

/// How the connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// It begins in the clear and has to become private before anything is said.
    StartTls,
    /// It is private from the first byte.
    Implicit,
    /// Not at all: for a server on this machine.
    None,
}
