//! `[people.<name>]` and the lists that name people, as they were typed.

use super::document::{Field, Section, nearest};
use super::error::{ConfigError, shown};
use super::server_keys::PERSON;
use crate::domain::{Account, Grant, Grants, GroupName, People, Person};
use std::collections::{BTreeMap, BTreeSet};

type ToAccount = fn(String) -> Account;

/// The keys that say which accounts are somebody's.
const ACCOUNTS: [(&str, ToAccount); 7] = [
    ("unix", Account::Unix),
    ("github", Account::GitHub),
    ("gitea", Account::Gitea),
    ("forgejo", Account::Gitea),
    ("gitlab", Account::GitLab),
    ("slack", Account::Slack),
    ("keys", Account::Key),
];

/// Everybody, in the order of the file.
pub(super) fn people(top: &Section<'_>) -> Result<People, ConfigError> {
    let Some(field) = top.get("people") else {
        return Ok(People::default());
    };
    let mut owners = BTreeMap::new();
    let fields = field.any_table()?.fields();
    let people: Result<Vec<Person>, _> = fields
        .iter()
        .map(|field| person(field, &mut owners))
        .collect();
    Ok(People::new(people?))
}

fn person(
    field: &Field<'_>,
    owners: &mut BTreeMap<Account, String>,
) -> Result<Person, ConfigError> {
    let name = field
        .name
        .parse()
        .map_err(|wrong| field.key_error(format!("{wrong}"), None))?;
    let section = field.table(&PERSON)?;
    let mut accounts = BTreeSet::new();
    for (key, account) in ACCOUNTS {
        for item in items(&section, key)? {
            let account = account(item.some_text()?.to_owned());
            let same = lower(&account);
            if let Some(owner) = owners.insert(same, field.name.clone())
                && owner != field.name
            {
                return Err(item.error_help(
                    format!("{account} is {} already", possessive(&owner)),
                    "an account is one person's, so that what it does is theirs",
                ));
            }
            accounts.insert(account);
        }
    }
    Ok(Person {
        name,
        accounts,
        email: section.get("email").map(|f| email(&f)).transpose()?,
        roles: items(&section, "roles")?
            .iter()
            .map(|item| {
                let text = item.some_text()?;
                let word = text.strip_prefix("group:").unwrap_or(text);
                word.parse().map_err(|wrong| item.error(format!("{wrong}")))
            })
            .collect::<Result<_, _>>()?,
    })
}

/// Forges take logins in any case, so two that differ in nothing else are the same.
fn lower(account: &Account) -> Account {
    match account {
        Account::GitHub(name) => Account::GitHub(name.to_ascii_lowercase()),
        Account::Gitea(name) => Account::Gitea(name.to_ascii_lowercase()),
        Account::GitLab(name) => Account::GitLab(name.to_ascii_lowercase()),
        other => other.clone(),
    }
}

fn possessive(name: &str) -> String {
    format!("{}'s", shown(name))
}

fn email(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.some_text()?;
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>,;:\"()".contains(c))
    };
    match text.split_once('@') {
        Some((local, host)) if plain(local) && plain(host) && !host.contains('@') => {
            Ok(text.to_owned())
        }
        _ => Err(field.error_help(
            format!("\"{}\" is not a mail address", shown(text)),
            "write it without a name: \"ada@example.com\"",
        )),
    }
}

fn items<'a>(section: &Section<'a>, key: &str) -> Result<Vec<Field<'a>>, ConfigError> {
    let field = section.get(key);
    Ok(field
        .map(|field| field.one_or_list())
        .transpose()?
        .unwrap_or_default())
}

/// The people and groups that a key names, each of whom has to exist: a name that nobody has would lock everybody out, or
/// wait for whoever takes it one day.
pub(super) fn grants(field: &Field<'_>, people: &People) -> Result<Grants, ConfigError> {
    let items = field.one_or_list()?;
    if items.is_empty() {
        let message = format!("`{}` names nobody, so nobody could", field.label());
        return Err(field.error_help(
            message,
            "name people or groups, or take the key out: then everybody who can push may",
        ));
    }
    let grants: Result<_, _> = items.iter().map(|item| grant(item, people)).collect();
    Ok(Grants(grants?))
}

fn grant(item: &Field<'_>, people: &People) -> Result<Grant, ConfigError> {
    let text = item.some_text()?;
    if let Some(word) = text.strip_prefix("group:") {
        let group: GroupName = word
            .parse()
            .map_err(|wrong| item.error(format!("{wrong}")))?;
        if people.iter().any(|person| person.roles.contains(&group)) {
            return Ok(Grant::Group(group));
        }
        let known: BTreeSet<&str> = people
            .iter()
            .flat_map(|person| &person.roles)
            .map(GroupName::as_str)
            .collect();
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(word, &known) {
            Some(right) => format!("did you mean \"group:{right}\"?"),
            None => format!("add `roles = [\"{word}\"]` to whoever is in it"),
        };
        return Err(item.error_help(format!("nobody is in the group `{group}`"), help));
    }
    let known: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    match text.parse() {
        Ok(name) if people.get(&name).is_some() => Ok(Grant::Person(name)),
        _ => {
            let help = match nearest(text, &known) {
                Some(right) => format!("did you mean \"{right}\"?"),
                None => format!("add [people.{}], or name a group: \"group:…\"", shown(text)),
            };
            Err(item.error_help(format!("there is no person `{}`", shown(text)), help))
        }
    }
}
