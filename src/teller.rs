//! Tells what happens as it happens, to those who do not ask: `shared/deploy.log` of each environment and the server's own
//! log, line by line, in the words that everybody else reads.

use crate::domain::{Deployment, Event, Record, State};
use crate::pipeline::Tools;
use crate::report;
use crate::store::{StoreError, deployments, events};
use crate::system::clock;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Tells until the server stops. What happened before it started was told then.
pub async fn tell(tools: Arc<Tools>) {
    let mut changes = tools.journal.changes();
    let mut told = *changes.borrow_and_update();
    while changes.changed().await.is_ok() {
        match news(&tools, told).await {
            Ok(news) => {
                for (deployment, record) in news {
                    told = record.seq;
                    write(&tools, &deployment, &record);
                }
            }
            Err(error) => tracing::warn!(%error, "what happened cannot be told"),
        }
    }
}

async fn news(tools: &Tools, told: i64) -> Result<Vec<(Deployment, Record)>, StoreError> {
    let store = tools.journal.store();
    store
        .read(move |c| {
            let mut news = Vec::new();
            for record in events::since(c, told)? {
                if let Some(deployment) = deployments::get(c, record.deployment)? {
                    news.push((deployment, record));
                }
            }
            Ok(news)
        })
        .await
}

/// Telling can never fail a deployment: a log that cannot be written is the server's log's business.
fn write(tools: &Tools, deployment: &Deployment, record: &Record) {
    let Some((_, env)) = tools.environment(&deployment.env) else {
        return;
    };
    let subject = || tools.subject(&deployment.env.app, &deployment.commit);
    let mut lines: Vec<String> = Vec::new();
    if matches!(
        record.event,
        Event::State {
            to: State::Running,
            // One that was approved goes on: it began before.
            why: None,
        }
    ) {
        lines.push(report::headline(deployment, subject().as_deref()));
    }
    lines.extend(
        report::line(&record.event)
            .into_iter()
            .map(|line| line.text),
    );
    if matches!(record.event, Event::State { to, .. } if to.is_final()) {
        lines.push(report::ending(deployment, &tools.url(&deployment.env)).text);
    }
    for line in &lines {
        let (id, env, words) = (deployment.id, &deployment.env, line.trim());
        tracing::info!(deployment = id, environment = %env, "{words}");
    }
    let file = tools.slots(env).shared().join("deploy.log");
    if let Err(error) = append(&file, record.at_ms, &lines) {
        tracing::warn!(file = %file.display(), %error, "deploy.log cannot be written");
    }
}

fn append(file: &Path, at_ms: i64, lines: &[String]) -> std::io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let time = clock::local(at_ms);
    let text: String = lines
        .iter()
        .map(|line| format!("{time} {line}\n"))
        .collect();
    if let Some(shared) = file.parent() {
        // The first deployment of an environment is told before its folders are made.
        std::fs::create_dir_all(shared)?;
    }
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(file)?;
    log.write_all(text.as_bytes())
}
