//! The command line: one file per command, and what they share. Commands print to stdout; what went wrong is one error
//! on stderr that says what to type next. The exit codes are part of the product:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | the deployment failed or was rolled back, or the server failed |
//! | 2 | usage or configuration |
//! | 3 | the server cannot be reached |
//! | 4 | refused: not allowed, locked, rejected |

mod args;
mod client;
mod failure;
mod follow;
mod live;
mod offers;
mod paint;
mod screen;
mod table;
mod until;

mod approve;
mod audit;
mod backups;
mod cancel;
mod completions;
mod deploy;
mod destroy;
mod doctor;
mod env;
mod freeze;
mod history;
mod init;
mod key;
mod logs;
mod maintenance;
mod manual;
mod notify;
mod plan;
mod promote;
mod restart;
mod rollback;
mod run;
mod serve;
mod starter;
mod status;
mod timing;
mod top;
mod user;

#[cfg(test)]
mod samples;

use crate::config::{Contact, Server};
use crate::web::types::Which;
use args::{Cli, Command};
use clap::Parser;
use client::Client;
use failure::{CliError, Code};
use screen::Screen;
use std::process::ExitCode;

/// Reads the command line, does what it says, and says how it went.
pub fn main() -> ExitCode {
    // A shell that asks what may be typed next is answered here.
    completions::answer();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return mistyped(&error),
    };
    let mut screen = Screen::of_process(cli.json);
    let code = dispatch(&cli, &mut screen).and_then(|code| match screen.trouble() {
        Some(source) => Err(CliError::local("cannot write the output", source)),
        None => Ok(code),
    });
    let code = code.unwrap_or_else(|error| {
        screen.fail(&error);
        error.code()
    });
    code.into()
}

/// Says what was asked for (help, the version) or what was mistyped; to a program as it is told every other error.
fn mistyped(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !std::env::args_os().any(|word| word == "--json") {
        error.exit();
    }
    let said = error.render().to_string();
    let (what, next) = said.split_once("\n\n").unwrap_or((&said, ""));
    let what = what.trim_start_matches("error: ").trim();
    let error = CliError::usage(what, next.trim());
    Screen::of_process(true).fail(&error);
    error.code().into()
}

fn dispatch(cli: &Cli, screen: &mut Screen) -> Result<Code, CliError> {
    match &cli.command {
        Command::Init(args) => init::run(cli, args, screen),
        Command::Serve => serve::run(Server::load(cli.config.as_deref())?),
        Command::Plan(args) if args.env.is_none() => plan::here(args, screen),
        Command::Key(args) => {
            let server = Server::load_without_secrets(cli.config.as_deref())?;
            key::run(&server, args, cli.app.as_deref(), screen)
        }
        Command::Completions(args) => completions::run(args, screen),
        Command::Man(args) => manual::man(args, screen),
        Command::Doctor => runtime()?.block_on(doctor::run(cli, screen)),
        Command::Run(args) => run::run(&contact(cli)?, args, cli.app.as_deref()),
        _ => {
            let client = Client::of(&contact(cli)?);
            runtime()?.block_on(ask(cli, &client, screen))
        }
    }
}

/// The commands that are a conversation with the server.
async fn ask(cli: &Cli, client: &Client, screen: &mut Screen) -> Result<Code, CliError> {
    let which = |env: &str| Which {
        env: env.to_owned(),
        app: cli.app.clone(),
    };
    let some = |env: &Option<String>| which(env.as_deref().unwrap_or_default());
    match &cli.command {
        Command::Plan(args) => plan::there(client, &some(&args.env), args, screen).await,
        Command::Deploy(args) => deploy::run(client, which(&args.env), args, screen).await,
        Command::Status(args) => status::run(client, &some(&args.env), screen).await,
        Command::Top(args) => top::run(client, &some(&args.env), screen).await,
        Command::History(args) => history::run(client, &some(&args.env), args, screen).await,
        Command::Logs(args) => logs::run(client, &which(&args.of), args, screen).await,
        Command::Rollback(args) => rollback::run(client, which(&args.env), args, screen).await,
        Command::Promote(args) => promote::run(client, cli.app.as_deref(), args, screen).await,
        Command::Backups(args) if args.verify => {
            backups::verify(client, &which(&args.env), screen).await
        }
        Command::Backups(args) => backups::run(client, &which(&args.env), screen).await,
        Command::Cancel(args) => cancel::run(client, args.deployment, screen).await,
        Command::Approve(args) => approve::run(client, args, true, screen).await,
        Command::Reject(args) => approve::run(client, args, false, screen).await,
        Command::Restart(args) => restart::run(client, which(&args.env), args, screen).await,
        Command::Env(args) => env::run(client, &args.command, cli.app.as_deref(), screen).await,
        Command::Maintenance(args) => {
            maintenance::run(client, which(&args.env), args.state, screen).await
        }
        Command::Destroy(args) => destroy::run(client, which(&args.env), args, screen).await,
        Command::Freeze(args) => freeze::run(client, which(&args.env), args, screen).await,
        Command::Notify(args) => notify::run(client, &args.command, screen).await,
        Command::User { command } => user::run(client, command, screen).await,
        // These were carried out without the server's help.
        Command::Init(_)
        | Command::Serve
        | Command::Key(_)
        | Command::Run(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Doctor => Ok(Code::Done),
    }
}

fn contact(cli: &Cli) -> Result<Contact, CliError> {
    Ok(Contact::load(cli.config.as_deref())?)
}

/// One thread is enough for one conversation.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::local("cannot begin", source))
}
