use super::news::News;
use super::types::Which;
use super::{need, pick};
use crate::domain::{DeploymentId, Role, Step};
use crate::web::stream::{Gone, Lines, answer};
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::io::SeekFrom;
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// The process that answers requests.
const WEB: &str = "web";
/// How much of a service's log is shown before it is followed.
const RECENT: u64 = 64 * 1024;

/// The steps that print, in their order.
pub(in crate::web) const WITH_LOG: [Step; 6] = [
    Step::Fetch,
    Step::Deps,
    Step::Build,
    Step::Test,
    Step::Migrate,
    Step::Switch,
];

/// Which log of a deployment.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    step: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// The output of a deployment's steps, in their order; followed until it ends.
pub(super) async fn of_deployment(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let env = worker.tools().journal.deployment(id).await?.env;
    need(&peer, &env, Role::Look)?;
    output(worker, id, asked).await
}

/// The output of all steps of a deployment so far.
pub(in crate::web) async fn log_of(worker: Worker, id: DeploymentId) -> Result<Response, Refusal> {
    let all = Asked {
        step: None,
        follow: false,
    };
    output(worker, id, all).await
}

async fn output(worker: Worker, id: DeploymentId, asked: Asked) -> Result<Response, Refusal> {
    let deployment = worker.tools().journal.deployment(id).await?;
    let dir = worker.tools().logs(id);
    let files: Vec<(String, PathBuf)> = match asked.step.as_deref() {
        Some("service") => {
            let env = deployment.env.clone();
            let Some((_, env)) = worker.tools().environment(&env) else {
                return Err(Refusal::mistake(format!(
                    "{} is no longer configured",
                    deployment.env
                )));
            };
            let color = deployment.color.map_or("blue", |color| color.as_str());
            let file = worker
                .tools()
                .slots(env)
                .shared()
                .join(format!("{color}-service.log"));
            vec![("service".to_owned(), file)]
        }
        Some(step) => match WITH_LOG.into_iter().find(|known| known.as_str() == step) {
            Some(step) => vec![(step.to_string(), dir.join(format!("{step}.log")))],
            None => {
                let names = WITH_LOG.map(|step| step.to_string()).join(", ");
                return Err(Refusal::mistake(format!(
                    "no step with a log is called so: {names}, service"
                )));
            }
        },
        None => WITH_LOG
            .into_iter()
            .map(|step| (step.to_string(), dir.join(format!("{step}.log"))))
            .collect(),
    };
    let several = files.len() > 1;
    Ok(answer(
        "text/plain; charset=utf-8",
        move |lines| async move {
            let mut lines = lines;
            for (step, file) in files {
                write_step(&worker, id, &step, file, several, asked.follow, &mut lines).await?;
            }
            if several && asked.follow {
                // Observe prints nothing, and whoever follows wants to see how it ends.
                worker.ended(id).await.map_err(|_| Gone)?;
            }
            Ok(())
        },
    ))
}

async fn write_step(
    worker: &Worker,
    id: DeploymentId,
    step: &str,
    path: PathBuf,
    several: bool,
    follow: bool,
    lines: &mut Lines,
) -> Result<(), Gone> {
    let mut file = None;
    let mut headed = false;
    let mut news = News::of(worker, path.parent().filter(|_| follow));
    loop {
        let over = step_is_over(worker, id, step).await;
        if file.is_none() {
            file = open(&path).await.ok();
        }
        if let Some(file) = &mut file {
            if several && !headed {
                lines.raw(format!("--- {step}\n")).await?;
                headed = true;
            }
            copy(file, lines).await?;
        }
        if over || !follow {
            return Ok(());
        }
        news.come().await;
    }
}

/// Whether nothing more will be written for the step: it, or the whole deployment, has ended.
async fn step_is_over(worker: &Worker, id: DeploymentId, step: &str) -> bool {
    use crate::domain::Event;
    let journal = &worker.tools().journal;
    let ended = journal
        .deployment(id)
        .await
        .map_or(true, |d| d.state.is_final());
    let read = journal
        .store()
        .read(move |c| crate::store::events::after(c, id, 0))
        .await;
    let name = step.to_owned();
    ended
        || read.map_or(true, |records| {
            records.iter().any(|record| match &record.event {
                Event::StepEnded { step, .. } => step.as_str() == name,
                _ => false,
            })
        })
}

async fn copy(file: &mut File, lines: &mut Lines) -> Result<(), Gone> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match file.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(n) => lines.raw(buffer[..n].to_vec()).await?,
        }
    }
}

/// What an environment is followed by.
#[derive(Debug, Deserialize)]
pub(super) struct Followed {
    #[serde(flatten)]
    which: Which,
    /// Which of its processes, as `teal status` names them; absent: `web`.
    process: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// What the service that serves prints; followed over switches until the reader has enough.
pub(super) async fn of_environment(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(asked): Query<Followed>,
) -> Result<Response, Refusal> {
    let env = pick(worker.tools(), &asked.which)?;
    need(&peer, &env, Role::Look)?;
    let log = log_of_process(asked.process.as_deref().unwrap_or(WEB))?;
    Ok(answer(
        "text/plain; charset=utf-8",
        move |lines| async move {
            let mut lines = lines;
            let mut shown = None;
            let mut file = None;
            let shared = worker.tools().environment(&env);
            let shared = shared.map(|(_, env)| worker.tools().slots(env).shared());
            let mut news = News::of(&worker, shared.as_deref().filter(|_| asked.follow));
            loop {
                let standing = worker
                    .tools()
                    .journal
                    .standing(&env)
                    .await
                    .map_err(|_| Gone)?;
                if standing.active != shown {
                    shown = standing.active;
                    file = open_recent(&worker, &env, shown, &log).await;
                }
                if let Some(file) = &mut file {
                    copy(file, &mut lines).await?;
                }
                if !asked.follow {
                    return Ok(());
                }
                news.come().await;
            }
        },
    ))
}

/// What the log of a process is called behind its color: `web`, `mailer`, or with a number `mailer.1`.
fn log_of_process(process: &str) -> Result<String, Refusal> {
    let (name, number) = match process.split_once('.') {
        Some((name, number)) => (name, number.parse::<u16>().ok()),
        None => (process, Some(0)),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let number = number.filter(|_| !name.is_empty() && name.chars().all(plain));
    let Some(number) = number else {
        let shown: String = process
            .chars()
            .take(40)
            .flat_map(char::escape_debug)
            .collect();
        return Err(Refusal::mistake(format!("`{shown}` is no process"))
            .next("teal status <env> names those that run: web, mailer, mailer.1"));
    };
    let name = if name == WEB { "service" } else { name };
    Ok(match number {
        0 => name.to_owned(),
        number => format!("{name}-{}", u32::from(number) + 1),
    })
}

async fn open_recent(
    worker: &Worker,
    env: &crate::domain::EnvId,
    color: Option<crate::domain::Color>,
    log: &str,
) -> Option<File> {
    let (_, env) = worker.tools().environment(env)?;
    let path = worker
        .tools()
        .slots(env)
        .shared()
        .join(format!("{}-{log}.log", color?));
    let mut file = open(path).await.ok()?;
    let length = file.metadata().await.ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(RECENT)))
        .await
        .ok()?;
    Some(file)
}

/// A log, and never what a link in its place leads to: a service may be able to write beside its log.
async fn open(path: impl AsRef<std::path::Path>) -> std::io::Result<File> {
    const NO_LINK: i32 = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    File::options()
        .read(true)
        .custom_flags(NO_LINK)
        .open(path)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_as_status_names_it_and_is_never_a_path() {
        let of = |process| log_of_process(process).ok();
        assert_eq!(of("web").as_deref(), Some("service"));
        assert_eq!(of("web.1").as_deref(), Some("service-2"));
        assert_eq!(of("mailer").as_deref(), Some("mailer"));
        assert_eq!(of("mailer.2").as_deref(), Some("mailer-3"));
        for wrong in ["", "../x", "a/b", "mailer.", "mailer.x", ".0", "a.1.2"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
