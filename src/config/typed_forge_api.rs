//! The keys of `[apps.<app>]` that say how its forge is told.

use super::around::Around;
use super::document::{Field, Section};
use super::error::ConfigError;
use super::forge_address::of_repo;
use super::forge_api::{ForgeApi, ForgeLogin};
use super::server_keys::GITHUB_APP;
use super::server_values::web_address;
use super::{Credentials, Forge, secret};

/// Reads them; nothing, where the app has no forge or Teal is nobody there.
pub(super) fn forge_api(
    section: &Section<'_>,
    forge: Option<Forge>,
    repo: Option<&str>,
    credentials: &Credentials,
    around: &Around<'_>,
) -> Result<Option<ForgeApi>, ConfigError> {
    let keys = [
        "api_url",
        "api_token",
        "github_app",
        "statuses",
        "deployments",
        "comments",
    ];
    let typed = keys.iter().find_map(|key| section.get(key));
    let (Some(forge), Some(repo)) = (forge, repo) else {
        return match typed {
            Some(field) => Err(field.key_error(
                format!("`{}` without `forge`: nobody would be told", field.name),
                Some("add `forge` and `repo`".to_owned()),
            )),
            None => Ok(None),
        };
    };
    let truth =
        |key: &str, default: bool| section.get(key).map_or(Ok(default), |field| field.truth());
    let both = matches!(forge, Forge::GitHub | Forge::GitLab);
    only_where(section, "deployments", both, "GitHub and GitLab")?;
    only_where(section, "comments", forge == Forge::GitHub, "GitHub")?;
    let (statuses, deployments) = (truth("statuses", true)?, truth("deployments", both)?);
    let comments = truth("comments", false)?;
    let Some(login) = login(section, forge, credentials, around)? else {
        let asked = ["statuses", "deployments", "comments"].iter();
        let asked = asked.filter_map(|key| section.get(key));
        return match { asked }.find(|field| field.truth().unwrap_or(false)) {
            Some(field) => Err(field.key_error(
                format!("`{}` needs a token of the forge", field.name),
                Some("add `api_token = { env = \"NAME\" }` or `{ file = \"path\" }`".to_owned()),
            )),
            None => Ok(None),
        };
    };
    let wanted = statuses || deployments || comments;
    let (url, project) = match of_repo(forge, repo) {
        Ok(found) => found,
        Err(_) if !wanted => return Ok(None),
        Err(wrong) => {
            let help = "say `statuses = false`, and `deployments = false` too, if it is meant so";
            let message = format!("`repo` {wrong}: the forge cannot be told how deployments go");
            return Err(match section.get("repo") {
                Some(field) => field.key_error(message, Some(help.to_owned())),
                None => section.error(message, help),
            });
        }
    };
    Ok(Some(ForgeApi {
        url: match section.get("api_url") {
            Some(field) => web_address(&field)?,
            None => url,
        },
        project,
        login,
        statuses,
        deployments,
        comments,
        shared: false,
    }))
}

fn only_where(
    section: &Section<'_>,
    key: &str,
    holds: bool,
    forges: &str,
) -> Result<(), ConfigError> {
    match section.get(key) {
        Some(field) if !holds && field.truth()? => {
            Err(field.key_error(format!("`{key}` are told to {forges} only"), None))
        }
        _ => Ok(()),
    }
}

fn login(
    section: &Section<'_>,
    forge: Forge,
    credentials: &Credentials,
    around: &Around<'_>,
) -> Result<Option<ForgeLogin>, ConfigError> {
    let read = |field: &Field<'_>| secret::read(field, &around.base, around.env);
    match (section.get("api_token"), section.get("github_app")) {
        (Some(_), Some(app)) => Err(app.key_error(
            "both `api_token` and `github_app` are given",
            Some("keep the one that Teal is to be".to_owned()),
        )),
        (Some(token), None) => Ok(Some(ForgeLogin::Token(read(&token)?))),
        (None, Some(app)) if forge != Forge::GitHub => {
            Err(app.key_error("`github_app` needs `forge = \"github\"`", None))
        }
        (None, Some(app)) => github_app(&app, around).map(Some),
        (None, None) => Ok(match credentials {
            Credentials::Token(token) => Some(ForgeLogin::Token(token.clone())),
            _ => None,
        }),
    }
}

fn github_app(field: &Field<'_>, around: &Around<'_>) -> Result<ForgeLogin, ConfigError> {
    let section = field.table(&GITHUB_APP)?;
    let missing = |key: &str| {
        field.key_error(
            format!("`github_app` has no `{key}`"),
            Some(
                "write `github_app = { id = 1, installation = 2, key = { file = \"…\" } }`"
                    .to_owned(),
            ),
        )
    };
    let number = |key: &str| match section.get(key) {
        Some(field) => field.number(1..=u64::MAX >> 1),
        None => Err(missing(key)),
    };
    let key = section.get("key").ok_or_else(|| missing("key"))?;
    Ok(ForgeLogin::App {
        id: number("id")?,
        installation: number("installation")?,
        key: secret::key_file(&key, &around.base)?,
    })
}
