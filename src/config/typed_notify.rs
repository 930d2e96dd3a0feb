//! `[[notify]]` as it was typed.

use super::around::Around;
use super::document::{Field, Rules, Section, nearest};
use super::error::{ConfigError, shown};
use super::notify::{Heard, Hears, Mail, MailTls, Notify, Place};
use super::server_keys as keys;
use super::server_values::web_address;
use super::{App, Secret, secret, values};
use crate::domain::AppName;
use std::collections::BTreeMap;

/// All of them, in the order of the file.
pub(super) fn notify(
    top: &Section<'_>,
    around: &Around<'_>,
    apps: &BTreeMap<AppName, App>,
) -> Result<Vec<Notify>, ConfigError> {
    let Some(field) = top.get("notify") else {
        return Ok(Vec::new());
    };
    if !field.is_list() {
        let help = "every one of them has a head of its own: [[notify]]";
        return Err(field.key_error("`notify` is a list", Some(help.to_owned())));
    }
    let mut all: Vec<Notify> = Vec::new();
    for item in field.list()? {
        let one = one(&item, around, apps)?;
        if all.iter().any(|other| other.name == one.name) {
            return Err(item.any_table()?.error(
                format!("two of [[notify]] are called `{}`", one.name),
                "give each a `name` of its own",
            ));
        }
        all.push(one);
    }
    Ok(all)
}

const KINDS: [(&str, &Rules); 6] = [
    ("slack", &keys::SLACK),
    ("discord", &keys::CHAT),
    ("mattermost", &keys::CHAT),
    ("teams", &keys::CHAT),
    ("mail", &keys::MAIL),
    ("webhook", &keys::WEBHOOK),
];

fn one(
    field: &Field<'_>,
    around: &Around<'_>,
    apps: &BTreeMap<AppName, App>,
) -> Result<Notify, ConfigError> {
    let section = field.any_table()?;
    let Some(kind) = section.get("kind") else {
        return Err(section.error(
            "[[notify]] has no `kind`",
            "add `kind = \"slack\"`, \"discord\", \"mattermost\", \"teams\", \"mail\" or \"webhook\"",
        ));
    };
    section.only(kind.one_of(&KINDS)?)?;
    let kind = kind.text()?;
    let read = |key: &str| web_secret(&section, key, around);
    let place = match kind {
        "slack" => slack(&section, around)?,
        "discord" => Place::Discord(read("webhook")?),
        "mattermost" => Place::Mattermost(read("webhook")?),
        "teams" => Place::Teams(read("webhook")?),
        "mail" => Place::Mail(mail(&section, around)?),
        _ => webhook(&section, around)?,
    };
    Ok(Notify {
        name: name(&section, kind)?,
        hears: hears(&section, &place, apps)?,
        place,
    })
}

fn name(section: &Section<'_>, kind: &str) -> Result<String, ConfigError> {
    let Some(field) = section.get("name") else {
        return Ok(kind.to_owned());
    };
    // It is typed behind `teal notify test`, where a word with a `/` is a forge.
    let word: Result<AppName, _> = field.text()?.parse();
    word.map(String::from)
        .map_err(|wrong| field.error(wrong.to_string()))
}

fn hears(
    section: &Section<'_>,
    place: &Place,
    apps: &BTreeMap<AppName, App>,
) -> Result<Hears, ConfigError> {
    use Heard::*;
    let words = [
        ("started", Started),
        ("live", Live),
        ("failed", Failed),
        ("rolled_back", RolledBack),
        ("recovered", Recovered),
        ("waiting", Waiting),
    ];
    let events = match (section.get("events"), place) {
        (Some(field), _) => {
            let typed = field.one_or_list()?;
            let events = typed.iter().map(|word| word.one_of(&words));
            let events: Vec<Heard> = events.collect::<Result<_, _>>()?;
            if events.is_empty() {
                return Err(field.key_error("`events` is empty: nobody would be told", None));
            }
            events
        }
        (None, Place::Mail(_)) => vec![Failed, RolledBack, Recovered],
        (None, Place::Webhook { .. }) => words.map(|(_, event)| event).to_vec(),
        (None, _) => vec![Live, Failed, RolledBack],
    };
    let all_apps: Vec<&str> = apps.keys().map(AppName::as_str).collect();
    let all_envs: Vec<&str> = { apps.values() }
        .flat_map(|app| &app.environments)
        .map(|env| env.id.env.as_str())
        .collect();
    Ok(Hears {
        events,
        apps: known(section.get("apps"), "app", &all_apps)?,
        environments: known(section.get("environments"), "environment", &all_envs)?,
    })
}

/// Names that this file has elsewhere: one that it has not would silently tell nobody.
fn known<T: std::str::FromStr>(
    field: Option<Field<'_>>,
    what: &str,
    all: &[&str],
) -> Result<Vec<T>, ConfigError> {
    let items = field.map(|field| field.one_or_list()).transpose()?;
    let read = |item: &Field<'_>| {
        let text = item.text()?;
        match text.parse() {
            Ok(name) if all.contains(&text) => Ok(name),
            _ => {
                let message = format!("there is no {what} `{}` in this file", shown(text));
                Err(match nearest(text, all) {
                    Some(right) => item.error_help(message, format!("did you mean \"{right}\"?")),
                    None => item.error(message),
                })
            }
        }
    };
    items.unwrap_or_default().iter().map(read).collect()
}

fn slack(section: &Section<'_>, around: &Around<'_>) -> Result<Place, ConfigError> {
    let help = "give `token` and `channel` (one message per deployment, kept up to date), or `webhook` (one at the end)";
    match (section.get("token"), section.get("webhook")) {
        (Some(token), None) => {
            let channel = section.get("channel").ok_or_else(|| {
                section.error(
                    "a bot of Slack needs a `channel`",
                    "add `channel = \"#deploys\"`",
                )
            })?;
            Ok(Place::SlackBot {
                token: secret::read(&token, &around.base, around.env)?,
                channel: channel.some_text()?.to_owned(),
                api_url: match section.get("api_url") {
                    Some(field) => web_address(&field)?,
                    None => "https://slack.com/api".to_owned(),
                },
                signing_secret: match section.get("signing_secret") {
                    Some(field) => Some(secret::read(&field, &around.base, around.env)?),
                    None => None,
                },
            })
        }
        (None, Some(_)) => match ["channel", "api_url", "signing_secret"]
            .iter()
            .find_map(|key| section.get(key))
        {
            Some(field) => Err(field.key_error(
                format!(
                    "`{}` belongs to a `token`: a webhook has its own",
                    field.name
                ),
                None,
            )),
            None => Ok(Place::SlackWebhook(web_secret(section, "webhook", around)?)),
        },
        (Some(_), Some(field)) => Err(field.key_error(
            "both `token` and `webhook` are given",
            Some("keep one of them".to_owned()),
        )),
        (None, None) => Err(section.error("Slack cannot be reached without a secret", help)),
    }
}

/// A secret that is a web address: whoever knows it may post there.
fn web_secret(
    section: &Section<'_>,
    key: &str,
    around: &Around<'_>,
) -> Result<Secret, ConfigError> {
    let Some(field) = section.get(key) else {
        return Err(section.error(
            format!("`{key}` is missing: the address to post to"),
            format!("add `{key} = {{ env = \"NAME\" }}` or `{{ file = \"path\" }}`"),
        ));
    };
    let secret = secret::read(&field, &around.base, around.env)?;
    match values::is_web_address(secret.expose()) {
        true => Ok(secret),
        false => Err(field.key_error(
            format!("what `{key}` names is not a web address (https://…)"),
            None,
        )),
    }
}

fn webhook(section: &Section<'_>, around: &Around<'_>) -> Result<Place, ConfigError> {
    let url = match section.get("url") {
        // The address of one's own program need not be a secret.
        Some(field) if field.as_text().is_some() => Secret::new(web_address(&field)?),
        _ => web_secret(section, "url", around)?,
    };
    let Some(field) = section.get("secret") else {
        return Err(section.error(
            "a webhook needs a `secret`: what signs its requests",
            "add `secret = { env = \"NAME\" }` or `{ file = \"path\" }`",
        ));
    };
    Ok(Place::Webhook {
        url,
        secret: secret::read(&field, &around.base, around.env)?,
    })
}

fn mail(section: &Section<'_>, around: &Around<'_>) -> Result<Mail, ConfigError> {
    let missing = |key: &str, help: &str| section.error(format!("mail needs `{key}`"), help);
    let from = section
        .get("from")
        .ok_or_else(|| missing("from", "add `from = \"Teal <teal@example.com>\"`"))?;
    let to = section
        .get("to")
        .ok_or_else(|| missing("to", "add `to = \"ops@example.com\"`, or a list"))?;
    let to = to.one_or_list()?;
    let to: Vec<String> = to.iter().map(address).collect::<Result<_, _>>()?;
    let smtp = section.get("smtp").ok_or_else(|| {
        missing("smtp", "add `smtp = { host = \"smtp.example.com\", user = \"…\", password = { env = \"…\" } }`")
    })?;
    if to.is_empty() {
        return Err(section.error("`to` is empty: nobody would be told", "add an address"));
    }
    let smtp = smtp.table(&keys::SMTP)?;
    let host = smtp
        .get("host")
        .ok_or_else(|| smtp.error("`smtp` has no `host`", "add `host = \"smtp.example.com\"`"))?;
    let words = [
        ("starttls", MailTls::StartTls),
        ("implicit", MailTls::Implicit),
        ("none", MailTls::None),
    ];
    let port = smtp.get("port").map(|field| field.number(1..=65_535));
    let port = port.transpose()?.map(|port| port as u16);
    let tls = smtp
        .get("tls")
        .map(|field| field.one_of(&words))
        .transpose()?;
    let tls = tls.unwrap_or(match port {
        Some(465) => MailTls::Implicit,
        _ => MailTls::StartTls,
    });
    let login = login(&smtp, around)?;
    let name = host.some_text()?;
    let here = name == "localhost"
        || name
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if let (MailTls::None, false, Some(field)) = (tls, here, smtp.get("tls")) {
        return Err(field.error_help(
            "without TLS, mail and password could be read on the way",
            "\"none\" is for a mail server on this machine",
        ));
    }
    Ok(Mail {
        from: address(&from)?,
        to,
        host: name.to_owned(),
        port: port.unwrap_or(if tls == MailTls::Implicit { 465 } else { 587 }),
        tls,
        login,
        ca: match smtp.get("ca") {
            Some(field) => Some(around.base.join(field.some_text()?)),
            None => None,
        },
    })
}

fn login(smtp: &Section<'_>, around: &Around<'_>) -> Result<Option<(String, Secret)>, ConfigError> {
    match (smtp.get("user"), smtp.get("password")) {
        (Some(user), Some(password)) => {
            let password = secret::read(&password, &around.base, around.env)?;
            Ok(Some((user.some_text()?.to_owned(), password)))
        }
        (None, None) => Ok(None),
        (Some(field), None) | (None, Some(field)) => Err(field.key_error(
            "`user` and `password` belong together",
            Some("give both or neither".to_owned()),
        )),
    }
}

fn address(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.some_text()?;
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(field.error_help(
            format!("\"{}\" is not a mail address", shown(text)),
            "write \"ops@example.com\" or \"Ops <ops@example.com>\"",
        )),
    }
}
