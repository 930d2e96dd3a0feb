//! The keys of an environment that say what makes a commit go live there, and what it waits for: `triggers`, `after`.

use super::document::{Field, Section};
use super::error::ConfigError;
use super::server_keys::AFTER;
use super::server_values::duration_or;
use super::{AfterCi, Forge, ForgeApi, Triggers};
use std::time::Duration;

/// A build that takes longer than this has stopped, as a rule.
const TIMEOUT: Duration = Duration::from_secs(3600);

const EXAMPLE: &str =
    "write `after = \"ci\"`, or `after = { ci = [\"build\", \"test*\"], timeout = \"1h\" }`";

/// What the environment waits for.
pub(super) fn after(section: &Section<'_>) -> Result<Option<AfterCi>, ConfigError> {
    let Some(field) = section.get("after") else {
        return Ok(None);
    };
    if !field.is_table() {
        field.one_of(&[("ci", ())])?;
        return Ok(Some(AfterCi {
            checks: Vec::new(),
            timeout: TIMEOUT,
        }));
    }
    let table = field.table(&AFTER)?;
    let Some(ci) = table.get("ci") else {
        return Err(field.error_help("`after` does not say what it waits for", EXAMPLE));
    };
    let checks: Vec<String> = ci
        .one_or_list()?
        .iter()
        .map(|item| item.some_text().map(str::to_owned))
        .collect::<Result<_, _>>()?;
    let timeout = duration_or(&table, "timeout", TIMEOUT)?;
    if timeout.is_zero() {
        return Err(field.error_help("no CI is done within no time", EXAMPLE));
    }
    Ok(Some(AfterCi {
        // One `*` is every check, as no names are.
        checks: match checks.as_slice() {
            [all] if all == "*" => Vec::new(),
            _ => checks,
        },
        timeout,
    }))
}

/// What makes a commit go live there.
pub(super) fn triggers(section: &Section<'_>) -> Result<Triggers, ConfigError> {
    let mut triggers = Triggers {
        pushes: true,
        deployments: false,
    };
    let Some(field) = section.get("triggers") else {
        return Ok(triggers);
    };
    triggers.pushes = false;
    for item in field.one_or_list()? {
        match item.one_of(&[("push", false), ("deployment", true)])? {
            true => triggers.deployments = true,
            false => triggers.pushes = true,
        }
    }
    Ok(triggers)
}

/// Refuses what the app's forge cannot answer.
pub(super) fn fit(
    after: Option<&Field<'_>>,
    triggers: Option<(&Field<'_>, Triggers)>,
    forge: Option<Forge>,
    api: Option<&ForgeApi>,
) -> Result<(), ConfigError> {
    const TOKEN: &str = "give the app a `forge`, a `repo`, and a `token` or `api_token`";
    if let (Some(field), None) = (after, api) {
        let message = "`after = \"ci\"` without a token of a forge: nobody could be asked";
        return Err(field.key_error(message, Some(TOKEN.to_owned())));
    }
    let Some((field, _)) = triggers.filter(|(_, triggers)| triggers.deployments) else {
        return Ok(());
    };
    let told = api.is_some_and(|api| api.deployments);
    match (forge, told) {
        (Some(Forge::GitHub), true) => Ok(()),
        (Some(Forge::GitHub), false) => Err(field.key_error(
            "a deployment made at GitHub could not be told how it went",
            Some("give the app a `token` or `api_token`, and leave `deployments` on".to_owned()),
        )),
        _ => Err(field.key_error(
            "only GitHub has deployments that trigger one here",
            Some("write `triggers = [\"push\"]`, or leave it out".to_owned()),
        )),
    }
}
