//! `teal logs <deployment|env>`.

use super::args::Logs;
use super::client::{Client, Stream, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::plain;
use super::timing;
use crate::domain::{DeploymentId, State};
use crate::report;
use crate::report::Tamer;
use crate::web::types::{DeploymentShown, Which};

/// Shows what the steps of a deployment printed, or what the service of an environment prints.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    args: &Logs,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let option = if args.timing { "--timing" } else { "--step" };
    let follow = args.follow.then_some("true");
    match args.of.parse::<DeploymentId>() {
        Ok(_) if args.process.is_some() => Err(CliError::usage(
            "`--process` is about an environment, and this is a deployment",
            format!(
                "teal logs {} --step service shows what its service prints",
                args.of
            ),
        )),
        Ok(id) if args.timing => timing::run(client, id, args.svg, screen).await,
        Ok(id) => of_deployment(client, id, args.step.as_deref(), follow, screen).await,
        Err(_) if args.step.is_some() || args.timing => Err(CliError::usage(
            format!(
                "`{option}` is about a deployment, and `{}` is an environment",
                args.of
            ),
            format!("find the deployment's number: teal history {}", args.of),
        )),
        Err(_) => {
            let [env, app] = named(which);
            let output = client
                .stream(
                    "logs",
                    &[
                        env,
                        app,
                        ("process", args.process.as_deref()),
                        ("follow", follow),
                    ],
                )
                .await?;
            if !show(output, screen).await? {
                let process = args.process.as_deref().unwrap_or("the service");
                screen.aside(&format!("{process} has printed nothing yet"));
            }
            Ok(Code::Done)
        }
    }
}

/// One step's output as it is, or all of it between what was deployed and how that ended.
async fn of_deployment(
    client: &Client,
    id: DeploymentId,
    step: Option<&str>,
    follow: Option<&str>,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let query = [("step", step), ("follow", follow)];
    let output = client
        .stream(&format!("deployments/{id}/logs"), &query)
        .await?;
    let is_told = step.is_none() && !screen.json;
    let path = format!("deployments/{id}");
    if is_told {
        let shown: DeploymentShown = client.get(&path, &[]).await?;
        screen.line(&plain(report::headline(
            &shown.deployment,
            shown.subject.as_deref(),
        )));
    }
    let is_empty = !show(output, screen).await?;
    if is_empty && !screen.json {
        screen.aside(&format!(
            "  - no command printed anything; teal logs {id} --step service shows what its service prints"
        ));
    }
    if is_told {
        let shown: DeploymentShown = client.get(&path, &[]).await?;
        end(&shown, screen);
    }
    Ok(Code::Done)
}

/// Why it failed, and how it ended; nothing while it goes on.
fn end(shown: &DeploymentShown, screen: &mut Screen) {
    let deployment = &shown.deployment;
    let failure = deployment
        .failure
        .iter()
        .flat_map(report::failure_after_output);
    failure.for_each(|line| screen.line(&line));
    if let (State::Waiting, Some(ci)) = (deployment.state, &deployment.ci) {
        screen.say(format!("  waiting {}", report::waits_for_ci(ci)));
    }
    if let (State::Approval, Some(asked)) = (deployment.state, &deployment.approval) {
        screen.say(format!("  waiting for approval: {}", report::asks(asked)));
        let brings = shown.changes.iter().flat_map(report::brings);
        brings.for_each(|line| screen.line(&line));
        screen.line(&report::how_to_answer(deployment.id));
    }
    if deployment.state.is_final() {
        screen.line(&report::outcome(deployment, &shown.url));
    }
}

/// Prints what comes; whether anything did.
async fn show(mut lines: Stream, screen: &mut Screen) -> Result<bool, CliError> {
    let mut is_any = false;
    if screen.json {
        while let (false, Some(line)) = (screen.is_gone(), lines.line().await?) {
            is_any = true;
            screen.record(&serde_json::json!({ "line": String::from_utf8_lossy(&line) }))?;
        }
        return Ok(is_any);
    }
    // A program gets what was printed; a terminal must not obey it.
    let mut tamer = screen.is_terminal().then(Tamer::default);
    while let (false, Some(piece)) = (screen.is_gone(), lines.piece().await?) {
        is_any |= !piece.is_empty();
        match &mut tamer {
            Some(tamer) => screen.bytes(&tamer.tame(&piece)),
            None => screen.bytes(&piece),
        }
    }
    screen.bytes(tamer.map_or(b"", Tamer::end));
    Ok(is_any)
}
