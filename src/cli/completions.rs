//! `teal completions <shell>`: what a shell reads once. At every Tab it then asks `teal` itself what may come next, so that
//! it knows this server's environments too.

use super::args::{Cli, Completions};
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::config::Server;
use crate::domain::{EnvName, Role};
use clap::{CommandFactory, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};
use clap_complete::{CompleteEnv, CompletionCandidate};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variable that a shell asks with.
const ASKED: &str = "TEAL_COMPLETE";
const SHELLS: [&dyn EnvCompleter; 3] = [&Bash, &Fish, &Zsh];

/// zsh reads the file of a command when its first Tab is pressed, and has to answer that one too.
const FIRST_TAB: &str =
    r#"if [ "$funcstack[1]" = "_teal" ]; then _clap_dynamic_completer_teal "$@"; fi"#;

/// A shell that can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// Bash
    Bash,
    /// Fish
    Fish,
    /// Zsh
    Zsh,
}

/// Prints the script that a shell reads.
pub(super) fn run(args: &Completions, screen: &mut Screen) -> Result<Code, CliError> {
    let asks: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Fish => &Fish,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    asks.write_registration(ASKED, "teal", "teal", "teal", &mut script)
        .map_err(|error| CliError::local("cannot make the script", error))?;
    screen.bytes(&script);
    if args.shell == Shell::Zsh {
        screen.say(FIRST_TAB);
    }
    Ok(Code::Done)
}

/// Ends the process with an answer if it was a shell that started it in order to ask.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command)
        .var(ASKED)
        .shells(Shells(&SHELLS))
        .complete();
}

/// The environments that begin like this: by the name alone where one app has it, and with the app where several do or
/// where something is typed that it begins with.
pub(super) fn environments(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(server) = server() else {
        return Vec::new();
    };
    let mut apps: BTreeMap<&EnvName, usize> = BTreeMap::new();
    for env in server.environments() {
        *apps.entry(&env.id.env).or_default() += 1;
    }
    let alone = apps.iter().filter(|(_, count)| **count == 1);
    let alone = alone.map(|(name, _)| name.to_string());
    let with_app = server
        .environments()
        .filter(|env| !typed.is_empty() || apps[&env.id.env] > 1)
        .map(|env| env.id.to_string());
    beginning(typed, alone.chain(with_app))
}

/// The apps that begin like this.
pub(super) fn apps(typed: &OsStr) -> Vec<CompletionCandidate> {
    let server = server();
    let names = server.iter().flat_map(|server| server.apps.keys());
    beginning(typed, names.map(ToString::to_string))
}

/// The roles that begin like this.
pub(super) fn roles(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(typed, Role::ALL.iter().map(ToString::to_string))
}

fn beginning(typed: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names
        .filter(|name| name.starts_with(&*typed))
        .map(CompletionCandidate::new)
        .collect()
}

/// The server of the line that is typed, as far as it can be read from here.
fn server() -> Option<Server> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let named = words.windows(2).find(|pair| pair[0] == "--config");
    let file = named.map(|pair| PathBuf::from(&pair[1]));
    Server::load_without_secrets(file.as_deref()).ok()
}
