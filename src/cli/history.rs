//! `teal history [env]`.

use super::args::History;
use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::domain::{Deployment, State};
use crate::report::{Line, Tone, ago, duration, one_line, what};
use crate::system::clock;
use crate::web::types::Which;

/// Lists deployments, newest first.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    args: &History,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    if args.audit {
        return super::audit::run(client, which, args.limit, screen).await;
    }
    let limit = args.limit.to_string();
    let [env, app] = named(which);
    let deployments: Vec<Deployment> = client
        .get("deployments", &[env, app, ("limit", Some(&limit))])
        .await?;
    if screen.json {
        return screen.document(&deployments);
    }
    if deployments.is_empty() {
        screen.say("no deployments yet: push, or type teal deploy <env>");
        return Ok(Code::Done);
    }
    screen.table(&table(&deployments, clock::now_ms()));
    Ok(Code::Done)
}

fn table(deployments: &[Deployment], now_ms: i64) -> Table {
    let heads = [
        "ID",
        "ENVIRONMENT",
        "STATE",
        "COMMIT",
        "WHAT",
        "BY",
        "WHEN",
        "TOOK",
    ];
    let mut table = Table::new(&heads, 4);
    for deployment in deployments {
        let cells = vec![
            plain(deployment.id.to_string()),
            plain(deployment.env.to_string()),
            state(deployment.state),
            plain(deployment.commit.short()),
            plain(what(deployment)),
            plain(one_line(&deployment.by, 12)),
            plain(ago(now_ms, deployment.created_ms)),
            plain(took(deployment)),
        ];
        let failure = deployment.failure.iter();
        let why = failure.map(|failure| {
            let at = failure
                .step
                .map_or_else(String::new, |step| format!("at {step}: "));
            cell(
                Tone::Bad,
                format!("    {at}{}", one_line(&failure.cause, 300)),
            )
        });
        let point = deployment.restore_point.iter().map(|point| {
            let text = format!("    restore point: {}", one_line(point, 200));
            cell(Tone::Quiet, text)
        });
        table.row(cells, why.chain(point).collect());
    }
    table
}

/// The state's word in its tone.
pub(super) fn state(state: State) -> Line {
    let tone = match state {
        State::Live => Tone::Good,
        State::Failed | State::RolledBack | State::Interrupted => Tone::Bad,
        State::Superseded | State::Cancelled => Tone::Quiet,
        _ => Tone::Plain,
    };
    cell(tone, state.as_str())
}

/// From leaving the queue to the end.
fn took(deployment: &Deployment) -> String {
    match (deployment.started_ms, deployment.ended_ms) {
        (Some(from), Some(to)) => duration(u64::try_from(to - from).unwrap_or(0)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::cli::samples::{self, MINUTE};
    use crate::domain::{Failure, Kind, Step};

    #[test]
    fn each_failure_says_where_and_why() {
        let mut live = samples::deployment(42, "arq/production", State::Live);
        live.started_ms = Some(live.created_ms);
        live.ended_ms = Some(live.created_ms + 12_400);
        let mut failed = samples::deployment(41, "arq/production", State::Failed);
        failed.created_ms -= 1000 * MINUTE;
        failed.started_ms = Some(failed.created_ms);
        failed.ended_ms = Some(failed.created_ms + 125_000);
        failed.ref_name = "refs/heads/a-branch-with-quite-a-long-name".to_owned();
        failed.failure = Some(Failure {
            step: Some(Step::Build),
            cause: "`npm run build` exited with code 2".to_owned(),
            tail: Vec::new(),
            serving: String::new(),
            next: String::new(),
        });
        let mut back = samples::deployment(9, "arq/staging", State::Running);
        back.kind = Kind::Rollback { backup: None };
        let shown = table(&[live, failed, back], samples::NOW).render(Some(80), Paint::default());
        insta::assert_snapshot!(shown.join("\n"), @r"
        ID  ENVIRONMENT     STATE    COMMIT     WHAT           BY   WHEN      TOOK
        42  arq/production  live     1a2b3c4d5  main           ada  2 h ago   12.4 s
        41  arq/production  failed   1a2b3c4d5  a-branch-wit…  ada  18 h ago  2 min 05 s
            at build: `npm run build` exited with code 2
        9   arq/staging     running  1a2b3c4d5  rollback       ada  2 h ago
        ");
    }
}
