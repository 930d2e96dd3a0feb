//! `[apps.<app>]` as it was typed.

use super::around::Around;
use super::document::{Field, Section};
use super::error::ConfigError;

use super::server_keys::APP;
use super::server_values::size;
use super::typed_environment::{TypedEnvironment, environment};
use super::typed_forge_api::forge_api;
use super::typed_people::grants;
use super::typed_triggers;
use super::{App, Credentials, Forge, remote, secret};
use crate::domain::AppName;

/// What one push or one fetch brings at most, where nobody says otherwise.
const LARGEST_PUSH: u64 = 2_000_000_000;

/// An app whose environments still know where they were typed.
pub(super) struct TypedApp<'a> {
    meant: App,
    pub environments: Vec<TypedEnvironment<'a>>,
}

impl TypedApp<'_> {
    /// The app as it is meant, once its environments are settled.
    pub fn meant(self) -> App {
        App {
            environments: self.environments.into_iter().map(|env| env.meant).collect(),
            ..self.meant
        }
    }
}

/// All apps in the order of the file.
pub(super) fn apps<'a>(
    top: &Section<'a>,
    around: &Around<'_>,
) -> Result<Vec<TypedApp<'a>>, ConfigError> {
    let Some(field) = top.get("apps") else {
        return Ok(Vec::new());
    };
    let fields = field.any_table()?.fields();
    fields.iter().map(|field| app(field, around)).collect()
}

fn app<'a>(field: &Field<'a>, around: &Around<'_>) -> Result<TypedApp<'a>, ConfigError> {
    let name: AppName = field
        .name
        .parse()
        .map_err(|wrong| field.key_error(format!("{wrong}"), None))?;
    let section = field.table(&APP)?;
    let forge = forge(&section)?;
    let repo = repo(&section)?;
    let webhook_secret = webhook_secret(&section, forge, around)?;
    if let (Some(forge), None) = (section.get("forge"), &repo) {
        return Err(forge.key_error(
            format!("app `{name}` has a `forge` but no `repo`"),
            Some(
                "add `repo = \"https://…\"`: webhooks say that something is new, not where it is"
                    .into(),
            ),
        ));
    }
    let credentials = credentials(&section, repo.as_deref(), around)?;
    let api = forge_api(&section, forge, repo.as_deref(), &credentials, around)?;
    let environments = section
        .get("environments")
        .map(|field| field.any_table().map(|table| table.fields()))
        .transpose()?
        .unwrap_or_default();
    if environments.is_empty() {
        return Err(field.key_error(
            format!("app `{name}` has no environment"),
            Some(format!("add [apps.{name}.environments.production]")),
        ));
    }
    let people = &around.inherited.people;
    let allow = section.get("allow").map(|field| grants(&field, people));
    let allow = allow.transpose()?;
    let environments: Vec<TypedEnvironment<'_>> = environments
        .iter()
        .map(|field| environment(&name, field, &around.inherited, allow.as_ref()))
        .collect::<Result<_, _>>()?;
    for env in &environments {
        let triggers = env.triggers_at.as_ref();
        let triggers = triggers.map(|field| (field, env.meant.triggers));
        typed_triggers::fit(env.after_at.as_ref(), triggers, forge, api.as_ref())?;
    }
    let meant = App {
        name,
        forge,
        repo,
        webhook_secret,
        credentials,
        api,
        largest_push: match section.get("largest_push") {
            Some(field) => size(&field)?,
            None => LARGEST_PUSH,
        },
        environments: Vec::new(),
    };
    Ok(TypedApp {
        meant,
        environments,
    })
}

fn forge(section: &Section<'_>) -> Result<Option<Forge>, ConfigError> {
    let words = [
        ("github", Forge::GitHub),
        ("gitea", Forge::Gitea),
        ("forgejo", Forge::Forgejo),
        ("gitlab", Forge::GitLab),
    ];
    section
        .get("forge")
        .map(|field| field.one_of(&words))
        .transpose()
}

fn repo(section: &Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(field) = section.get("repo") else {
        return Ok(None);
    };
    // The address may have a password in it, so a mistake points at the key and does not show the value.
    let text = field
        .as_text()
        .ok_or_else(|| field.wrong_type("a string"))?;
    remote::check(text).map_err(|wrong| field.key_error(format!("`repo` {wrong}"), None))?;
    Ok(Some(text.to_owned()))
}

fn webhook_secret(
    section: &Section<'_>,
    forge: Option<Forge>,
    around: &Around<'_>,
) -> Result<Option<super::Secret>, ConfigError> {
    match (section.get("webhook_secret"), section.get("forge"), forge) {
        (Some(field), _, Some(_)) => secret::read(&field, &around.base, around.env).map(Some),
        (Some(field), ..) => Err(field.key_error(
            "`webhook_secret` without `forge`",
            Some("add `forge = \"github\"`, \"gitea\", \"forgejo\" or \"gitlab\"".to_owned()),
        )),
        (None, Some(field), _) => Err(field.key_error(
            "a `forge` needs a `webhook_secret`: without it anybody could order deployments",
            Some("add `webhook_secret = { env = \"NAME\" }` or `{ file = \"path\" }`".to_owned()),
        )),
        (None, None, _) => Ok(None),
    }
}

fn credentials(
    section: &Section<'_>,
    repo: Option<&str>,
    around: &Around<'_>,
) -> Result<Credentials, ConfigError> {
    let (token, key) = (section.get("token"), section.get("ssh_key"));
    let given = token.as_ref().or(key.as_ref());
    if let (Some(field), None) = (given, repo) {
        let message = format!("`{}` without `repo`: there is nothing to fetch", field.name);
        return Err(field.key_error(message, None));
    }
    match (token, key) {
        (Some(_), Some(key)) => Err(key.key_error(
            "both `token` and `ssh_key` are given",
            Some("keep the one that `repo` is fetched with".to_owned()),
        )),
        (Some(token), None) => {
            secret::read(&token, &around.base, around.env).map(Credentials::Token)
        }
        (None, Some(key)) if !repo.is_some_and(remote::is_ssh) => Err(key.key_error(
            "`ssh_key` is not used with an http address",
            Some("give a `token`, or fetch from git@host:path".to_owned()),
        )),
        (None, Some(key)) => secret::key_file(&key, &around.base).map(Credentials::SshKey),
        (None, None) => Ok(Credentials::None),
    }
}
