//! Whatever stands in a configuration file, reading it ends with a configuration or with a message.

use super::{repo, versions};
use crate::config::*;
use crate::noise::{Noise, rounds};
use std::path::Path;

const SERVER: &str = include_str!("../../../config/teal.toml");
const RECIPE: &str = include_str!("../../../config/recipe.teal.toml");

const PIECES: &[&str] = &[
    "",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\\",
    "#",
    "\u{0}",
    "\u{1b}",
    "é",
    "\u{202e}",
    "𝄞",
    "-1",
    "1e999",
    "nan",
    "99999999999999999999",
    "1979-05-27",
    "true",
    "token",
    "secret = ",
    "\r",
    "\t",
    "..",
    "/",
];

/// The text with a few places cut, doubled or replaced.
fn mutated(text: &str, dice: &mut Noise) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(4) {
        let at = dice.below(chars.len());
        let end = (at + dice.below(30)).min(chars.len());
        let piece: Vec<char> = match dice.below(3) {
            0 => chars[at..end].repeat(2),
            _ => PIECES[dice.below(PIECES.len())].chars().collect(),
        };
        chars.splice(at..end, piece);
    }
    chars.into_iter().collect()
}

fn read_both(text: &str) {
    let env = |_: &str| Some("value".to_owned());
    if let Err(error) = Server::parse(text, Path::new("teal.toml"), &env) {
        assert!(!error.to_string().contains('\u{1b}'), "{text}");
    }
    let files = [
        (".teal.toml", text),
        ("Cargo.toml", text),
        ("pyproject.toml", text),
        ("package.json", text),
        ("Procfile", text),
    ];
    match Recipe::resolve(&repo(&files), &versions) {
        Ok(recipe) => assert!(!recipe.explain().contains('\u{1b}'), "{text}"),
        Err(error) => assert!(!error.to_string().contains('\u{1b}'), "{text}"),
    }
}

#[test]
fn mutated_files_are_read_or_refused() {
    let mut dice = Noise::new(0x7ea1);
    for _ in 0..rounds(500) {
        read_both(&mutated(SERVER, &mut dice));
        read_both(&mutated(RECIPE, &mut dice));
        read_both(&String::from_utf8_lossy(&dice.spoilt(&[SERVER, RECIPE])));
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    for unit in [
        "[", "[[", "{a=", "a.", "[a.", "a=[", "a={b=", "(", "\"", "{\"a\":",
    ] {
        read_both(&unit.repeat(20_000));
        read_both(&format!("a={}", unit.repeat(20_000)));
        read_both(&format!("{}b=1", unit.repeat(20_000)));
        read_both(&format!("[{}b]", unit.repeat(20_000)));
    }
}

#[test]
fn the_annotated_examples_are_right() {
    let env = |name: &str| {
        let address = name.ends_with("_WEBHOOK").then_some("https://example.com/");
        Some(format!("{}value-of-{name}", address.unwrap_or_default()))
    };
    for (name, text) in [
        ("teal.toml", SERVER),
        ("minimal.toml", include_str!("../../../config/minimal.toml")),
        ("nginx.toml", include_str!("../../../config/nginx.toml")),
    ] {
        let read = Server::parse(text, Path::new(name), &env);
        assert!(read.is_ok(), "{}", read.unwrap_err());
    }
    let recipe = Recipe::resolve(&repo(&[(".teal.toml", RECIPE)]), &versions);
    assert!(recipe.is_ok(), "{}", recipe.unwrap_err());
}

#[test]
fn the_full_example_names_every_key() {
    let named = |text: &str, key: &str| {
        text.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{key} "))
                || line.contains(&format!("{{ {key} "))
                || line.contains(&format!(", {key} = "))
                || line.contains(&format!("[{key}"))
                || line.contains(&format!(".{key}"))
        })
    };
    for (keys, text) in [
        (server_keys::SERVER.keys, SERVER),
        (server_keys::APP.keys, SERVER),
        (server_keys::ENVIRONMENT.keys, SERVER),
        (server_keys::PERSON.keys, SERVER),
        (server_keys::GITHUB_APP.keys, SERVER),
        (server_keys::SLACK.keys, SERVER),
        (server_keys::MAIL.keys, SERVER),
        (server_keys::SMTP.keys, SERVER),
        (server_keys::WEBHOOK.keys, SERVER),
        (
            server_keys::PROXY.keys,
            concat!(
                include_str!("../../../config/nginx.toml"),
                include_str!("../../../config/teal.toml")
            ),
        ),
        (recipe_keys::RECIPE.keys, RECIPE),
        (recipe_keys::BUILD.keys, RECIPE),
        (recipe_keys::RUN, RECIPE),
        (recipe_keys::MIGRATE.keys, RECIPE),
        (recipe_keys::HEALTH.keys, RECIPE),
        (recipe_keys::TIMEOUTS.keys, RECIPE),
    ] {
        for key in keys {
            assert!(named(text, key), "`{key}` is not in the example");
        }
    }
}
