//! Everybody who can be told, opened from the configuration.

use super::audience::Audience;
use super::chats::{Discord, Mattermost, SlackBot, SlackWebhook, Teams};
use super::forges::{GitHub, GitLab, Gitea};
use super::mail::Mail;
use super::memory::Memory;
use super::news::News;
use super::webhook::Webhook;
use super::wire::{Refusal, Wire};
use crate::config::{Forge, ForgeApi, Heard, Hears, Notify, Place, Server};
use crate::domain::Moment;

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name: `team`, or `shop/statuses`.
    pub name: String,
    /// What it is, in a few words.
    pub kind: String,
    hears: Option<Hears>,
    place: Result<Opened, Refusal>,
}

#[derive(Debug, Clone)]
enum Opened {
    GitHub(GitHub),
    Gitea(Gitea),
    GitLab(GitLab),
    SlackBot(SlackBot),
    SlackWebhook(SlackWebhook),
    Discord(Discord),
    Mattermost(Mattermost),
    Teams(Teams),
    Mail(Box<Mail>),
    Webhook(Webhook),
}

/// Opens everybody whom the configuration names. One that cannot be opened refuses whatever it is told, and says why.
pub fn targets(server: &Server) -> Vec<Target> {
    let wire = Wire::new();
    let audience = Audience::of_server(server);
    audience
        .targets()
        .filter_map(|name| {
            let notify = server.notify.iter().find(|notify| notify.name == name);
            match (notify, name.split_once('/')) {
                (Some(notify), _) => Some(of_notify(notify, &wire)),
                (None, Some((app, what))) => {
                    let mut apps = server.apps.values();
                    let app = apps.find(|known| known.name.as_str() == app)?;
                    Some(of_forge(name, what, app.forge?, app.api.as_ref()?, &wire))
                }
                (None, None) => None,
            }
        })
        .collect()
}

fn of_forge(
    name: &str,
    what: &str,
    forge: Forge,
    api: &ForgeApi,
    wire: &Result<Wire, Refusal>,
) -> Target {
    let opened = match (forge, wire) {
        (Forge::GitHub, _) => GitHub::new(api, what).map(Opened::GitHub),
        (_, Err(refusal)) => Err(refusal.clone()),
        (Forge::GitLab, Ok(wire)) => Ok(Opened::GitLab(GitLab::new(wire, api, what))),
        (_, Ok(wire)) => Ok(Opened::Gitea(Gitea::new(wire, api))),
    };
    let host = match forge {
        Forge::GitHub => "GitHub",
        Forge::Gitea => "Gitea",
        Forge::Forgejo => "Forgejo",
        Forge::GitLab => "GitLab",
    };
    Target {
        name: name.to_owned(),
        kind: format!("{what} of {} at {host}", api.project),
        hears: None,
        place: opened,
    }
}

fn of_notify(notify: &Notify, wire: &Result<Wire, Refusal>) -> Target {
    let opened = |wire: &Wire| {
        Ok(match &notify.place {
            Place::SlackBot {
                token,
                channel,
                api_url,
                signing_secret,
            } => {
                let bot = SlackBot::new(wire, token, channel, api_url);
                Opened::SlackBot(match signing_secret {
                    Some(_) => bot.with_buttons(),
                    None => bot,
                })
            }
            Place::SlackWebhook(url) => Opened::SlackWebhook(SlackWebhook::new(wire, url)),
            Place::Discord(url) => Opened::Discord(Discord::new(wire, url)),
            Place::Mattermost(url) => Opened::Mattermost(Mattermost::new(wire, url)),
            Place::Teams(url) => Opened::Teams(Teams::new(wire, url)),
            Place::Webhook { url, secret } => Opened::Webhook(Webhook::new(wire, url, secret)),
            Place::Mail(mail) => Opened::Mail(Box::new(Mail::new(mail)?)),
        })
    };
    let kind = match &notify.place {
        Place::SlackBot { channel, .. } => format!("slack, {channel}"),
        Place::Mail(mail) => format!("mail to {}", mail.to.join(", ")),
        place => place.kind().to_owned(),
    };
    Target {
        name: notify.name.clone(),
        kind,
        hears: Some(notify.hears.clone()),
        place: wire.clone().and_then(|wire| opened(&wire)),
    }
}

/// Says something in a chat that nobody but this user sees.
pub async fn whisper(
    notify: &Notify,
    channel: &str,
    user: &str,
    words: &str,
) -> Result<(), Refusal> {
    match of_notify(notify, &Wire::new()).place? {
        Opened::SlackBot(bot) => bot.whisper(channel, user, words).await,
        _ => Ok(()),
    }
}

impl Target {
    /// Whether the target wants to hear this after all: one that hears recoveries alone hears no other success, and
    /// where nothing can be edited, an app that goes on failing is told of once.
    pub fn wants(&self, news: &News) -> bool {
        let Some(hears) = &self.hears else {
            return true;
        };
        let edits = matches!(&self.place, Ok(Opened::SlackBot(_) | Opened::Discord(_)));
        let follows = edits && hears.hears(Heard::Started);
        let well = news.moment == Moment::Live && !hears.hears(Heard::Live);
        if well && !follows && news.recovers().is_none() {
            return false;
        }
        let counts = edits || matches!(&self.place, Ok(Opened::Webhook(_)));
        counts || news.repeats().is_none()
    }

    /// Whether it hears of this environment.
    pub fn hears_of(&self, env: &crate::domain::EnvId) -> bool {
        match (&self.hears, self.name.split_once('/')) {
            (Some(hears), _) => hears.of(env),
            (None, Some((app, _))) => env.app.as_str() == app,
            (None, None) => false,
        }
    }

    /// Whether it is a forge, which needs a commit that it knows.
    pub fn is_forge(&self) -> bool {
        self.hears.is_none()
    }

    /// Asks it who Teal is there and what it may do, and tells nothing. What it answered, in words; nothing where only a
    /// message could show it.
    pub async fn check(&self) -> Result<Option<String>, Refusal> {
        match self.place.as_ref().map_err(Clone::clone)? {
            Opened::GitHub(place) => place.check().await.map(Some),
            Opened::Gitea(place) => place.check().await.map(Some),
            Opened::GitLab(place) => place.check().await.map(Some),
            Opened::SlackBot(place) => place.check().await.map(Some),
            Opened::Discord(place) => place.check().await.map(Some),
            Opened::Mail(place) => place.check().await.map(Some),
            Opened::SlackWebhook(_)
            | Opened::Mattermost(_)
            | Opened::Teams(_)
            | Opened::Webhook(_) => Ok(None),
        }
    }

    /// Tells it; what it answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        match self.place.as_ref().map_err(Clone::clone)? {
            Opened::GitHub(place) => place.tell(news, memory).await,
            Opened::Gitea(place) => place.tell(news).await,
            Opened::GitLab(place) => place.tell(news, memory).await,
            Opened::SlackBot(place) => place.tell(news, memory).await,
            Opened::SlackWebhook(place) => place.tell(news).await,
            Opened::Discord(place) => place.tell(news, memory).await,
            Opened::Mattermost(place) => place.tell(news).await,
            Opened::Teams(place) => place.tell(news).await,
            Opened::Mail(place) => place.tell(news, memory).await,
            Opened::Webhook(place) => place.tell(news).await,
        }
    }
}
