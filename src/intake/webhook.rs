//! A forge's delivery → what it means for an app. A pure function: nothing is fetched, stored or asked. Addresses that a
//! payload names (`clone_url` and its kin) are not even read; only configured remotes are ever spoken to.

use super::envelope::Envelope;
use super::said::{Pushed, Said};
use super::shown::shown;
use super::{Refusal, check_ref_name, gitea, github, gitlab};
use crate::config::{App, Forge};
use crate::domain::{Account, CommitId, Origin, Push, PushOptions};
use http::HeaderMap;

/// Who pushed, where the forge did not say.
pub const SOMEBODY: &str = "somebody";

/// A verified delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same for every repetition of one delivery, and for nothing else; absent where the forge sent no id.
    pub key: Option<String>,
    /// The kind of forge that the headers speak of.
    pub forge: Forge,
    /// What it means here.
    pub meaning: Meaning,
}

impl Delivery {
    /// The account that pushed, as the forge vouches for it.
    pub fn account(&self, push: &Push) -> Account {
        let login = match push.by.as_str() {
            // Nobody's login is empty, so it is nobody's account.
            SOMEBODY => String::new(),
            login => login.to_owned(),
        };
        match self.forge {
            Forge::GitHub => Account::GitHub(login),
            Forge::Gitea | Forge::Forgejo => Account::Gitea(login),
            Forge::GitLab => Account::GitLab(login),
        }
    }
}

/// What a delivery means for the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The forge tries the hook.
    Ping,
    /// A branch or tag has a new value. The commit is what the sender saw; only the ref's present tip may be deployed.
    Push(Push),
    /// Nothing to do, and why, in words for the person who looks at the hook's log.
    Ignored(String),
}

/// Checks who sent the delivery and says what it means.
pub fn read(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Refusal> {
    let name = || app.name.to_string();
    let (sender, event) = sender(headers).ok_or(Refusal::NoForge)?;
    let expected = app
        .forge
        .ok_or_else(|| Refusal::TakesNone { app: name() })?;
    if family(sender) != family(expected) {
        return Err(Refusal::OtherForge {
            app: name(),
            came: sender_name(sender),
            expected: sender_name(expected),
        });
    }
    let secret = app.webhook_secret.as_ref().map_or("", |s| s.expose());
    if secret.is_empty() {
        return Err(Refusal::NoSecret { app: name() });
    }
    let envelope = Envelope::open(headers, body)?;
    let payload = envelope.payload();
    let (key, said) = match sender {
        Forge::GitHub => {
            github::verify(headers, secret, &envelope)?;
            (github::key(headers), github::said(&event, payload)?)
        }
        Forge::Gitea | Forge::Forgejo => {
            gitea::verify(headers, secret, &envelope)?;
            (gitea::key(headers), gitea::said(&event, payload)?)
        }
        Forge::GitLab => {
            gitlab::verify(headers, secret)?;
            (gitlab::key(headers), gitlab::said(&event, payload)?)
        }
    };
    Ok(Delivery {
        key,
        forge: sender,
        meaning: meaning(app, said)?,
    })
}

/// Who sent this, and which event it is. Gitea and Forgejo send GitHub's headers as well as their own, and Forgejo sends
/// Gitea's, so the order decides.
fn sender(headers: &HeaderMap) -> Option<(Forge, String)> {
    [
        (gitea::FORGEJO_EVENT, Forge::Forgejo),
        (gitea::GITEA_EVENT, Forge::Gitea),
        (gitea::GOGS_EVENT, Forge::Gitea),
        (gitlab::EVENT, Forge::GitLab),
        (github::EVENT, Forge::GitHub),
    ]
    .into_iter()
    .find_map(|(header, forge)| {
        let event = headers.get(header)?;
        Some((
            forge,
            String::from_utf8_lossy(event.as_bytes()).into_owned(),
        ))
    })
}

/// Gitea and Forgejo are one family: a hook outlives a move from one to the other.
fn family(forge: Forge) -> Forge {
    match forge {
        Forge::Forgejo => Forge::Gitea,
        other => other,
    }
}

fn sender_name(forge: Forge) -> &'static str {
    match forge {
        Forge::GitHub => "GitHub",
        Forge::Gitea => "Gitea",
        Forge::Forgejo => "Forgejo",
        Forge::GitLab => "GitLab",
    }
}

fn meaning(app: &App, said: Said) -> Result<Meaning, Refusal> {
    match said {
        Said::Ping => Ok(Meaning::Ping),
        Said::Nothing(why) => Ok(Meaning::Ignored(why)),
        Said::Push(pushed) => push(app, pushed),
    }
}

fn push(app: &App, pushed: Pushed) -> Result<Meaning, Refusal> {
    if let Some(repo) = &app.repo
        && !is_repository(repo, &pushed.repository)
    {
        return Ok(Meaning::Ignored(format!(
            "this push is to the repository {}, and the app `{}` is deployed from {}",
            shown(&pushed.repository, 100),
            app.name,
            shown(repo, 200)
        )));
    }
    check_ref_name(&pushed.ref_name)?;
    let commit: CommitId = pushed.commit.parse()?;
    let ref_name = shown(&pushed.ref_name, 100);
    if commit.is_zero() {
        return Ok(Meaning::Ignored(format!(
            "{ref_name} was deleted: nothing to deploy, and what serves goes on serving"
        )));
    }
    if !["refs/heads/", "refs/tags/"]
        .iter()
        .any(|kind| pushed.ref_name.starts_with(kind))
    {
        return Ok(Meaning::Ignored(format!(
            "{ref_name} is neither a branch nor a tag"
        )));
    }
    let by = match pushed.by.as_str() {
        "" => SOMEBODY.to_owned(),
        login => shown(login, 60),
    };
    Ok(Meaning::Push(Push {
        app: app.name.clone(),
        ref_name: pushed.ref_name,
        commit,
        by,
        origin: Origin::Webhook,
        options: PushOptions::default(),
    }))
}

/// Whether the configured remote (`https://host/owner/name.git`, `git@host:owner/name`) is the repository that a forge
/// calls `owner/name`. Forges take names in any case, and may themselves live below a path of their host.
fn is_repository(remote: &str, full_name: &str) -> bool {
    let path = match remote.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => remote.split_once(':').map_or("", |(_, path)| path),
    };
    let path = path.trim_matches('/').to_lowercase();
    let path = path.strip_suffix(".git").unwrap_or(&path);
    let name = full_name.to_lowercase();
    name.contains('/')
        && path
            .strip_suffix(&name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}
