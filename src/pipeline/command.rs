//! The app's own commands: where they log, and how their end becomes the step's.

use super::outcome::{Stop, Trouble};
use super::owner;
use super::place::Sight;
use super::run::Run;
use crate::domain::Step;
use crate::report;
use crate::service::{Job, JobEnd, JobExit};
use crate::system::limits::{Limits, machine_memory};
use crate::system::{files, users};
use std::time::Duration;

/// Where a command that traces itself finds the span that it is a part of (W3C Trace Context).
const TRACEPARENT: &str = "TRACEPARENT";

/// Runs one of the recipe's commands to its end; gives the last lines that it printed.
pub async fn command(
    run: &Run<'_>,
    step: Step,
    line: &str,
    sight: Sight,
    deadline: Duration,
) -> Result<Vec<String>, Stop> {
    owner::hand_over(run).await?;
    let place = run.place()?;
    let logs = run.tools.logs(run.id());
    files::create_dir(&logs, 0o750)?;
    let limits = run.env.limits;
    let mut env = place.environment(sight);
    if run.tools.server.traces.is_some() {
        let server = &run.tools.server.public_url;
        let parent = report::traceparent(server, &run.deployment, step);
        env.retain(|(name, _)| name != TRACEPARENT);
        env.push((TRACEPARENT.to_owned(), parent));
    }
    let job = Job {
        command: line.to_owned(),
        cwd: place.app_dir(),
        env,
        log: logs.join(format!("{step}.log")),
        deadline,
        low_priority: sight == Sight::Build,
        run_as: run.env.run_as.clone(),
        mask: place.secrets(),
        limits: Limits {
            memory: limits.build_memory.or_else(most_of_the_memory),
            processes: Some(limits.processes),
            low: false,
        },
        log_limit: Some(limits.log),
    };
    let cancelled = async {
        run.cancel.wait().await;
    };
    let end = crate::service::run_job(&run.tools.exe, job, cancelled).await?;
    run.spent_by_app(end.took);
    judge(run, step, line, end)
}

/// A build that takes all memory takes what serves with it.
fn most_of_the_memory() -> Option<u64> {
    machine_memory().map(|bytes| bytes / 4 * 3)
}

fn judge(run: &Run<'_>, step: Step, line: &str, end: JobEnd) -> Result<Vec<String>, Stop> {
    let log = format!("teal logs {} shows the whole output of {step}", run.id());
    let next = match &end.exit {
        JobExit::Exited(exit) if exit.is_success() => return Ok(end.tail),
        // The shell's code for a program that it does not find.
        JobExit::Exited(exit) if exit.code == Some(127) => format!(
            "install the missing program where {} finds it on this server ({}), and push again; {log}",
            users::own().name,
            users::search_path()
        ),
        _ => log,
    };
    let cause = match end.exit {
        JobExit::Exited(exit) => format!("`{}` {exit}", shown(line)),
        JobExit::DeadlinePassed(deadline) => format!(
            "`{}` did not end within {} and was killed with everything it had started",
            shown(line),
            report::duration(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX))
        ),
        JobExit::Cancelled => {
            return Err(Stop::Cancelled(run.cancel.pulled().unwrap_or_default()));
        }
    };
    Err(Trouble::new(cause).tail(end.tail).next(next).into())
}

/// A command as people recognise it: its first line, cut to size.
fn shown(line: &str) -> String {
    let first = line.trim().lines().next().unwrap_or_default();
    let mut short: String = first.chars().take(80).collect();
    if short.len() < line.trim().len() {
        short.push('…');
    }
    short
}
