//! `teal env set|unset|list <env>`: the app's own configuration.

use super::args::{List, Set, Unset, VariablesCommand};
use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::follow;
use super::screen::Screen;
use crate::web::types::{VariablesChanged, VariablesRequest, VariablesShown, Which};
use std::collections::BTreeMap;
use std::io::Read;

/// What stands for a value that is not shown.
const MASK: &str = "••••••";

type Changes = BTreeMap<String, Option<String>>;

/// Changes or lists the values.
pub(super) async fn run(
    client: &Client,
    command: &VariablesCommand,
    app: Option<&str>,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let which = |env: &str| Which {
        env: env.to_owned(),
        app: app.map(str::to_owned),
    };
    match command {
        VariablesCommand::Set(args) => {
            let changes = settings(args, &mut std::io::stdin().lock())?;
            change(client, which(&args.env), changes, args.detach, screen).await
        }
        VariablesCommand::Unset(args) => {
            change(
                client,
                which(&args.env),
                removals(args)?,
                args.detach,
                screen,
            )
            .await
        }
        VariablesCommand::List(args) => list(client, &which(&args.env), args, screen).await,
    }
}

fn settings(args: &Set, stdin: &mut impl Read) -> Result<Changes, CliError> {
    let mut changes = Changes::new();
    for word in &args.values {
        let Some((name, value)) = word.split_once('=') else {
            return Err(CliError::usage(
                format!("`{word}` is not KEY=VALUE"),
                format!(
                    "teal env set {} {word}=…, or `--stdin {word}` to type the value",
                    args.env
                ),
            ));
        };
        insert(&mut changes, name, Some(value.to_owned()))?;
    }
    if let Some(name) = &args.stdin {
        let mut value = String::new();
        stdin
            .read_to_string(&mut value)
            .map_err(|source| CliError::local("cannot read the value from stdin", source))?;
        // The line's end belongs to whoever typed it or to `echo`, not to the value.
        let value = value.strip_suffix('\n').unwrap_or(&value);
        let value = value.strip_suffix('\r').unwrap_or(value);
        insert(&mut changes, name, Some(value.to_owned()))?;
    }
    Ok(changes)
}

fn removals(args: &Unset) -> Result<Changes, CliError> {
    let mut changes = Changes::new();
    for name in &args.names {
        if let Some((name, _)) = name.split_once('=') {
            return Err(CliError::usage(
                format!("`unset` takes names, and `{name}=…` has a value"),
                format!("teal env unset {} {name}", args.env),
            ));
        }
        insert(&mut changes, name, None)?;
    }
    Ok(changes)
}

fn insert(changes: &mut Changes, name: &str, value: Option<String>) -> Result<(), CliError> {
    match changes.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(CliError::usage(
            format!("`{name}` is given twice"),
            "give each name once",
        )),
    }
}

async fn change(
    client: &Client,
    which: Which,
    changes: Changes,
    detach: bool,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = VariablesRequest { which, changes };
    let changed: VariablesChanged = client.post("variables", &request).await?;
    match changed.begun {
        Some(begun) => {
            if !screen.json {
                screen.say(format!("stored as version {}", changed.digest));
            }
            follow::begun(client, begun, detach, screen).await
        }
        None if screen.json => screen.document(&changed),
        None => {
            screen.say(format!(
                "stored as version {}; there was nothing to restart for it",
                changed.digest
            ));
            Ok(Code::Done)
        }
    }
}

async fn list(
    client: &Client,
    which: &Which,
    args: &List,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let mut shown: VariablesShown = client.get("variables", &named(which)).await?;
    if !args.show {
        mask(&mut shown);
    }
    if screen.json {
        return screen.document(&shown);
    }
    if shown.values.is_empty() {
        screen.say(format!(
            "{} has no values of its own; teal env set {} KEY=VALUE",
            shown.env, args.env
        ));
    }
    for (name, value) in &shown.values {
        screen.say(format!(
            "{name}={}",
            if args.show {
                quoted(value)
            } else {
                value.clone()
            }
        ));
    }
    if !args.show && !shown.values.is_empty() {
        screen.aside(&format!(
            "teal env list {} --show shows the values",
            args.env
        ));
    }
    Ok(Code::Done)
}

fn mask(shown: &mut VariablesShown) {
    for value in shown.values.values_mut() {
        *value = MASK.to_owned();
    }
}

/// The value so that a shell, and a `.env` file, read the same value.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    match value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::said;

    fn set(values: &[&str], stdin: Option<&str>, typed: &str) -> Result<Changes, String> {
        let args = Set {
            env: "production".to_owned(),
            values: values.iter().map(|word| (*word).to_owned()).collect(),
            stdin: stdin.map(str::to_owned),
            detach: false,
        };
        settings(&args, &mut typed.as_bytes()).map_err(|error| said(&error))
    }

    #[test]
    fn a_value_may_hold_anything_behind_the_first_equals_sign() {
        let changes = set(
            &["URL=postgres://a?b=c", "EMPTY="],
            Some("TOKEN"),
            "se cret\n",
        )
        .unwrap();
        let value = |name: &str| changes[name].as_deref().unwrap().to_owned();
        assert_eq!(value("URL"), "postgres://a?b=c");
        assert_eq!(value("EMPTY"), "");
        assert_eq!(value("TOKEN"), "se cret");
    }

    #[test]
    fn what_is_no_pair_is_said_with_what_to_type() {
        insta::assert_snapshot!(set(&["TOKEN"], None, "").unwrap_err(), @r"
        error: `TOKEN` is not KEY=VALUE
          next: teal env set production TOKEN=…, or `--stdin TOKEN` to type the value
        ");
        assert!(
            set(&["A=1", "A=2"], None, "")
                .unwrap_err()
                .contains("twice")
        );
        let unset = Unset {
            env: "production".to_owned(),
            names: vec!["A=secret".to_owned()],
            detach: false,
        };
        let error = said(&removals(&unset).unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn shown_values_can_be_read_by_a_shell() {
        assert_eq!(quoted("postgres://a:5432/b"), "postgres://a:5432/b");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted("\u{1b}]0;x\u{7}"), "'\u{1b}]0;x\u{7}'");
    }
}
