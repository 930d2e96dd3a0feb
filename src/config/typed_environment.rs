//! `[apps.<app>.environments.<environment>]` as it was typed.

use super::document::{Field, Section};
use super::error::{ConfigError, shown};

use super::server_keys::{APPROVAL, ENVIRONMENT, LIMITS, PORTS};
use super::server_values::{duration_or, number_or, path_or, size};
use super::typed_people::grants;
use super::typed_triggers::{after, triggers};
use super::{Approval, Environment, EnvironmentLimits, OnPush, Ports, RefRule, refs, values};
use crate::domain::{AppName, DeployHours, EnvId, EnvName, Grants, Mode, People, Redirect};
use std::path::PathBuf;
use std::time::Duration;

/// What an environment takes over from the server where it does not say.
pub(super) struct Inherited {
    /// Where environments live unless they name a root.
    pub apps_dir: PathBuf,
    /// How often its remote is compared with what serves; zero: never.
    pub reconcile: Duration,
    /// Everybody whom lists may name.
    pub people: People,
}

/// An environment that still knows where its values were typed, for what can only be checked among all of them.
pub(super) struct TypedEnvironment<'a> {
    /// As it is meant; its ports are zero until they are settled when `ports` is absent.
    pub meant: Environment,
    /// Its name in the file.
    pub at: Field<'a>,
    /// Where its ports were typed.
    pub ports_at: Option<Field<'a>>,
    /// Where its root was typed.
    pub root_at: Option<Field<'a>>,
    /// Where it was typed what it waits for.
    pub after_at: Option<Field<'a>>,
    /// Where it was typed what makes a commit go live.
    pub triggers_at: Option<Field<'a>>,
    /// Every host name with the place where it was typed.
    pub names: Vec<(String, Field<'a>)>,
}

/// Reads one environment.
pub(super) fn environment<'a>(
    app: &AppName,
    field: &Field<'a>,
    inherited: &Inherited,
    allow: Option<&Grants>,
) -> Result<TypedEnvironment<'a>, ConfigError> {
    let env: EnvName = field
        .name
        .parse()
        .map_err(|wrong| field.key_error(format!("{wrong}"), None))?;
    let section = field.table(&ENVIRONMENT)?;
    let seconds =
        |key: &str, default: u64| duration_or(&section, key, Duration::from_secs(default));
    let domains = domains(&section)?;
    let redirects = redirects(&section, &domains)?;
    let on_push = [("report", OnPush::Report), ("gate", OnPush::Gate)];
    let modes = [("fast", Mode::Fast), ("full", Mode::Full)];
    let default_root = || default_root(app, &env, inherited);
    let meant = Environment {
        refs: ref_rules(&section, &env)?,
        root: path_or(&section, "root", default_root)?,
        ports: ports(&section)?,
        domains: domains.iter().map(|(name, _)| name.clone()).collect(),
        redirects: redirects
            .iter()
            .map(|(redirect, _)| redirect.clone())
            .collect(),
        mode: section
            .get("mode")
            .map_or(Ok(Mode::Fast), |f| f.one_of(&modes))?,
        on_push: section
            .get("on_push")
            .map_or(Ok(OnPush::Report), |f| f.one_of(&on_push))?,
        drain: seconds("drain", 30)?,
        drain_websockets: seconds("drain_websockets", 60)?,
        hold: seconds("hold", 10)?,
        keep_warm: seconds("keep_warm", 600)?,
        observe: seconds("observe", 30)?,
        backups: number_or(&section, "backups", 5, 1000)?,
        backups_size: section.get("backups_size").map(|f| size(&f)).transpose()?,
        reconcile: duration_or(&section, "reconcile", inherited.reconcile)?,
        triggers: triggers(&section)?,
        after: after(&section)?,
        deploy_hours: section
            .get("deploy_hours")
            .map(|field| deploy_hours(&field))
            .transpose()?,
        approval: section
            .get("approval")
            .map(|field| approval(&field, &inherited.people))
            .transpose()?,
        allow: match section.get("allow") {
            Some(field) => Some(grants(&field, &inherited.people)?),
            None => allow.cloned(),
        },
        limits: limits(&section)?,
        run_as: section.get("run_as").map(|f| user(&f)).transpose()?,
        id: EnvId {
            app: app.clone(),
            env,
        },
    };
    let redirected = redirects
        .into_iter()
        .map(|(redirect, at)| (redirect.from, at));
    Ok(TypedEnvironment {
        meant,
        at: field.clone(),
        ports_at: section.get("ports"),
        root_at: section.get("root"),
        after_at: section.get("after"),
        triggers_at: section.get("triggers"),
        names: domains.into_iter().chain(redirected).collect(),
    })
}

fn deploy_hours(field: &Field<'_>) -> Result<DeployHours, ConfigError> {
    let items = field.one_or_list()?;
    let typed: Vec<&str> = items
        .iter()
        .map(|item| item.some_text())
        .collect::<Result<_, _>>()?;
    DeployHours::parse(typed.iter().copied())
        .map_err(|(number, wrong)| items[number].error(format!("`deploy_hours` {wrong}")))
}

/// Two hours, unless it says otherwise: whoever pushed has gone home by then.
fn approval(field: &Field<'_>, people: &People) -> Result<Approval, ConfigError> {
    let table = field.table(&APPROVAL)?;
    let Some(by) = table.get("by") else {
        return Err(field.error_help(
            "`approval` has no `by`",
            "write `approval = { by = [\"group:release\"] }`",
        ));
    };
    let timeout = duration_or(&table, "timeout", Duration::from_secs(2 * 3600))?;
    if timeout.is_zero() {
        return Err(field.error_help(
            "nobody can say yes within no time",
            "write how long it is waited for: `timeout = \"2h\"`",
        ));
    }
    Ok(Approval {
        by: grants(&by, people)?,
        timeout,
    })
}

fn limits(section: &Section<'_>) -> Result<EnvironmentLimits, ConfigError> {
    let mut limits = EnvironmentLimits {
        memory: None,
        build_memory: None,
        processes: 4096,
        log: 50_000_000,
    };
    let Some(field) = section.get("limits") else {
        return Ok(limits);
    };
    let table = field.table(&LIMITS)?;
    if let Some(field) = table.get("memory") {
        limits.memory = Some(size(&field)?);
    }
    if let Some(field) = table.get("build_memory") {
        limits.build_memory = Some(size(&field)?);
    }
    if let Some(field) = table.get("processes") {
        limits.processes = field.number(16..=1_000_000)?;
    }
    if let Some(field) = table.get("log") {
        limits.log = size(&field)?;
    }
    Ok(limits)
}

/// A user's name. Whether this machine knows it is seen when the server starts.
fn user(field: &Field<'_>) -> Result<String, ConfigError> {
    let name = field.some_text()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if name.len() > 32 || name.starts_with(['-', '.']) || !name.chars().all(plain) {
        return Err(field.error(format!("\"{}\" is not the name of a user", shown(name))));
    }
    if name == "root" {
        return Err(field.error_help(
            "`run_as = \"root\"` would let the app do everything on this machine",
            "make a user for it: useradd --system --create-home shop",
        ));
    }
    Ok(name.to_owned())
}

fn default_root(app: &AppName, env: &EnvName, inherited: &Inherited) -> PathBuf {
    if env.as_str() == "production" {
        inherited.apps_dir.join(app.as_str())
    } else {
        inherited.apps_dir.join(format!("{app}-{env}"))
    }
}

fn ref_rules(section: &Section<'_>, env: &EnvName) -> Result<Vec<RefRule>, ConfigError> {
    let mut rules = patterns(section.get("branch"), RefRule::Branch)?;
    rules.extend(patterns(section.get("tag"), RefRule::Tag)?);
    match rules.is_empty() {
        false => Ok(rules),
        true if env.as_str() == "production" => Ok(vec![RefRule::Branch("main".to_owned())]),
        true => Err(section.error(
            format!("no ref maps to `{env}`: `branch` is missing"),
            "add `branch = \"…\"` (a name or a pattern) or `tag = \"v*\"`",
        )),
    }
}

fn patterns(
    field: Option<Field<'_>>,
    rule: fn(String) -> RefRule,
) -> Result<Vec<RefRule>, ConfigError> {
    let items = field.map(|field| field.one_or_list()).transpose()?;
    items
        .unwrap_or_default()
        .iter()
        .map(|item| {
            let pattern = item.some_text()?;
            refs::check(pattern).map_err(|wrong| {
                item.error(format!("`{}` \"{}\" {wrong}", item.name, shown(pattern)))
            })?;
            Ok(rule(pattern.to_owned()))
        })
        .collect()
}

fn ports(section: &Section<'_>) -> Result<Ports, ConfigError> {
    let Some(field) = section.get("ports") else {
        return Ok(Ports { blue: 0, green: 0 });
    };
    let table = field.table(&PORTS)?;
    let port = |key: &str| match table.get(key) {
        Some(field) => field.number(1..=65_535).map(|port| port as u16),
        None => Err(field.error_help(
            format!("`ports` has no `{key}`"),
            "write `ports = { blue = 3001, green = 3002 }`",
        )),
    };
    Ok(Ports {
        blue: port("blue")?,
        green: port("green")?,
    })
}

fn domains<'a>(section: &Section<'a>) -> Result<Vec<(String, Field<'a>)>, ConfigError> {
    let items = match (section.get("domain"), section.get("domains")) {
        (Some(_), Some(field)) => {
            let help = "put all names into `domains`, the main one first";
            return Err(field.key_error("both `domain` and `domains` are given", Some(help.into())));
        }
        (Some(field), None) => vec![field],
        (None, Some(field)) => field.list()?,
        (None, None) => Vec::new(),
    };
    items
        .into_iter()
        .map(|item| Ok((host_name(&item, item.text()?)?, item)))
        .collect()
}

/// `redirect = ["www.a.b"]` goes to the first domain, `redirect = { "www.a.b" = "a.b" }` to the named one.
fn redirects<'a>(
    section: &Section<'a>,
    domains: &[(String, Field<'a>)],
) -> Result<Vec<(Redirect, Field<'a>)>, ConfigError> {
    let Some(field) = section.get("redirect") else {
        return Ok(Vec::new());
    };
    let Some((first, _)) = domains.first() else {
        let help = "add `domain = \"…\"`, the name to go to";
        return Err(field.key_error("`redirect` without `domain`", Some(help.into())));
    };
    if !field.is_table() {
        let items = field.one_or_list()?;
        return items
            .into_iter()
            .map(|item| Ok((redirect(host_name(&item, item.text()?)?, first), item)))
            .collect();
    }
    let targets = field.any_table()?.fields();
    targets
        .into_iter()
        .map(|target| {
            let from = host_name(&target, &target.name)?;
            let to = host_name(&target, target.text()?)?;
            if !domains.iter().any(|(name, _)| *name == to) {
                let message = format!("{to} is not one of this environment's domains");
                return Err(target.error(message));
            }
            Ok((redirect(from, &to), target))
        })
        .collect()
}

fn redirect(from: String, to: &str) -> Redirect {
    Redirect {
        from,
        to: to.to_owned(),
    }
}

fn host_name(field: &Field<'_>, text: &str) -> Result<String, ConfigError> {
    values::host_name(text).map_err(|wrong| field.error(format!("\"{}\" {wrong}", shown(text))))
}
