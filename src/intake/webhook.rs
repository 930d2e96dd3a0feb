//! A forge's delivery → what it means for an app. A pure function: nothing is fetched, stored or asked. Addresses that a
//! payload names (`clone_url` and its kin) are not even read; only configured remotes are ever spoken to.

use super::envelope::Envelope;
use super::said::{Ordered, Pushed, Question, Said};
use super::shown::shown;
use super::{Refusal, check_ref_name, gitea, github, gitlab};
use crate::config::{App, Environment, Forge};
use crate::domain::{Account, CommitId, EnvId, Origin, Push, PushOptions};
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
    /// The account of that login, as the forge vouches for it.
    pub fn account(&self, login: &str) -> Account {
        let login = match login {
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
    /// Somebody made a deployment at the forge for an environment that takes those.
    Deployment(Made),
    /// A workflow asks whether it may deploy to an environment.
    Question(Asked),
    /// CI has news, and an environment waits for it.
    Checks,
    /// Nothing to do, and why, in words for the person who looks at the hook's log.
    Ignored(String),
}

/// A deployment that somebody made at the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is meant to go live.
    pub env: EnvId,
    /// Its number at the forge.
    pub number: u64,
    /// What was named: a branch, a tag or a commit.
    pub ref_name: String,
    /// The commit.
    pub commit: CommitId,
    /// Who made it.
    pub by: String,
}

/// A workflow that asks whether it may deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where to.
    pub env: EnvId,
    /// The number of its run at the forge.
    pub run: u64,
    /// Who began it.
    pub by: String,
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
        Said::Deployment(made) => deployment(app, made),
        Said::Question(asked) => Ok(question(app, asked)),
        Said::Checks(event) => Ok(checks(app, &event)),
    }
}

fn checks(app: &App, event: &str) -> Meaning {
    match app.environments.iter().any(|env| env.after.is_some()) {
        true => Meaning::Checks,
        false => Meaning::Ignored(format!(
            "a `{}` event deploys nothing here: no environment of {} waits for CI (`after`)",
            shown(event, 40),
            app.name
        )),
    }
}

fn deployment(app: &App, made: Ordered) -> Result<Meaning, Refusal> {
    if let Some(ignored) = elsewhere(app, "deployment", &made.repository) {
        return Ok(ignored);
    }
    let label = shown(&made.label, 60);
    let env = labelled(app, &made.label);
    let Some(env) = env.filter(|env| env.triggers.deployments) else {
        return Ok(Meaning::Ignored(format!(
            "a deployment to `{label}` deploys nothing here: no environment of that name has \"deployment\" among its `triggers`"
        )));
    };
    // It may be the short name of a branch or a tag, or a commit's own name.
    check_ref_name(&format!("refs/heads/{}", made.ref_name))?;
    Ok(Meaning::Deployment(Made {
        env: env.id.clone(),
        number: made.number,
        ref_name: made.ref_name,
        commit: made.commit.parse()?,
        by: who(&made.by),
    }))
}

fn question(app: &App, asked: Question) -> Meaning {
    if let Some(ignored) = elsewhere(app, "workflow", &asked.repository) {
        return ignored;
    }
    match labelled(app, &asked.label) {
        Some(env) if app.api.is_some() => Meaning::Question(Asked {
            env: env.id.clone(),
            run: asked.run,
            by: who(&asked.by),
        }),
        Some(_) => Meaning::Ignored(format!(
            "{} has no token or `github_app`, so that the workflow cannot be answered",
            app.name
        )),
        None => Meaning::Ignored(format!(
            "{} has no environment `{}`, so that the workflow is not answered",
            app.name,
            shown(&asked.label, 60)
        )),
    }
}

/// The environment that the forge knows by this name.
fn labelled<'a>(app: &'a App, label: &str) -> Option<&'a Environment> {
    let api = app.api.as_ref()?;
    let mut environments = app.environments.iter();
    environments.find(|env| api.label(&env.id) == label)
}

/// The answer to what is about another repository than the app's.
fn elsewhere(app: &App, what: &str, repository: &str) -> Option<Meaning> {
    let repo = app.repo.as_ref()?;
    (!is_repository(repo, repository)).then(|| {
        Meaning::Ignored(format!(
            "this {what} is {} the repository {}, and the app `{}` is deployed from {}",
            if what == "push" { "to" } else { "of" },
            shown(repository, 100),
            app.name,
            shown(repo, 200)
        ))
    })
}

fn who(login: &str) -> String {
    match login {
        "" => SOMEBODY.to_owned(),
        login => shown(login, 60),
    }
}

fn push(app: &App, pushed: Pushed) -> Result<Meaning, Refusal> {
    if let Some(ignored) = elsewhere(app, "push", &pushed.repository) {
        return Ok(ignored);
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
    Ok(Meaning::Push(Push {
        app: app.name.clone(),
        ref_name: pushed.ref_name,
        commit,
        by: who(&pushed.by),
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
