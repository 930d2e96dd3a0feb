//! `teal logs <deployment|env>`.

use super::args::Logs;
use super::client::{Client, Stream, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::tame::Tamer;
use crate::domain::DeploymentId;
use crate::web::types::Which;

/// Shows what the steps of a deployment printed, or what the service of an environment prints.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    args: &Logs,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let follow = args.follow.then_some("true");
    let lines = match args.of.parse::<DeploymentId>() {
        Ok(id) => {
            let query = [("step", args.step.as_deref()), ("follow", follow)];
            client
                .stream(&format!("deployments/{id}/logs"), &query)
                .await?
        }
        Err(_) if args.step.is_some() => {
            return Err(CliError::usage(
                format!(
                    "`--step` is about a deployment, and `{}` is an environment",
                    args.of
                ),
                format!("find the deployment's number: teal history {}", args.of),
            ));
        }
        Err(_) => {
            let [env, app] = named(which);
            client
                .stream("logs", &[env, app, ("follow", follow)])
                .await?
        }
    };
    show(lines, screen).await
}

async fn show(mut lines: Stream, screen: &mut Screen) -> Result<Code, CliError> {
    if screen.json {
        while let (false, Some(line)) = (screen.is_gone(), lines.line().await?) {
            screen.record(&serde_json::json!({ "line": String::from_utf8_lossy(&line) }))?;
        }
        return Ok(Code::Done);
    }
    // A program gets what was printed; a terminal must not obey it.
    let mut tamer = screen.is_terminal().then(Tamer::default);
    while let (false, Some(piece)) = (screen.is_gone(), lines.piece().await?) {
        match &mut tamer {
            Some(tamer) => screen.bytes(&tamer.tame(&piece)),
            None => screen.bytes(&piece),
        }
    }
    screen.bytes(tamer.map_or(b"", Tamer::end));
    Ok(Code::Done)
}
