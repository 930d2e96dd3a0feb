//! `teal notify list` and `teal notify test [target]`.

use super::args::NotifyCommand;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::report::{Tone, one_line};
use crate::web::types::{NotifyTestRequest, TargetShown, TargetTested};

/// Lists everybody who is told, or sends them an example.
pub(super) async fn run(
    client: &Client,
    command: &NotifyCommand,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    match command {
        NotifyCommand::List => list(client, screen).await,
        NotifyCommand::Test(args) => test(client, args.target.clone(), screen).await,
    }
}

async fn list(client: &Client, screen: &mut Screen) -> Result<Code, CliError> {
    let targets: Vec<TargetShown> = client.get("notify", &[]).await?;
    if screen.json {
        return screen.document(&targets);
    }
    if targets.is_empty() {
        screen.say(
            "nobody is told; add [[notify]] to teal.toml, or a `token` to an app with a `forge`",
        );
        return Ok(Code::Done);
    }
    let mut table = Table::new(&["TARGET", "IS", "WAITING"], 1);
    for target in targets {
        let cells = vec![
            plain(target.name),
            plain(one_line(&target.kind, 200)),
            plain(target.waiting.to_string()),
        ];
        table.row(cells, Vec::new());
    }
    screen.table(&table);
    Ok(Code::Done)
}

async fn test(
    client: &Client,
    target: Option<String>,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = NotifyTestRequest { target };
    let tested: Vec<TargetTested> = client.post("notify/test", &request).await?;
    let code = match tested.iter().all(|one| one.taken) {
        true => Code::Done,
        false => Code::Failed,
    };
    if screen.json {
        screen.document(&tested)?;
        return Ok(code);
    }
    for one in tested {
        let (tone, how) = match one.taken {
            true => (Tone::Good, "ok"),
            false => (Tone::Bad, "failed"),
        };
        let words = one_line(&one.words, 400);
        screen.line(&cell(tone, format!("{:<6} {}: {words}", how, one.name)));
    }
    Ok(code)
}
