//! Sends each deployment that has ended to the collector of the configuration, as a trace. It reads what the journal says and
//! nobody waits for it: a collector that is down or slow delays nothing, and after a few tries a trace is given up.

use crate::domain::{DeploymentId, Event};
use crate::pipeline::Tools;
use crate::report::{Collector, Refusal, Retry};
use crate::store::{StoreError, deployments, events};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long to wait before each further try.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(25),
];

/// Sends until the server stops. What ended before it started was sent then, or is not sent.
pub async fn follow(tools: Arc<Tools>) {
    let Some(traces) = &tools.server.traces else {
        return;
    };
    let collector = match Collector::new(traces) {
        Ok(collector) => collector,
        Err(refusal) => {
            tracing::warn!("no traces are sent: {refusal}");
            return;
        }
    };
    let mut changes = tools.journal.changes();
    let mut seen = *changes.borrow_and_update();
    while changes.changed().await.is_ok() {
        match ended(&tools, seen).await {
            Ok((ended, last)) => {
                seen = last;
                for id in ended {
                    deliver(&tools, &collector, id).await;
                }
            }
            Err(error) => tracing::warn!(%error, "what is to be traced cannot be read"),
        }
    }
}

/// The deployments that ended behind this event, and the last event that was looked at.
async fn ended(tools: &Tools, seen: i64) -> Result<(Vec<DeploymentId>, i64), StoreError> {
    let read = tools.journal.store().read(move |c| {
        let (mut ended, mut last) = (Vec::new(), seen);
        loop {
            let news = events::since(c, last)?;
            let Some(newest) = news.last() else {
                return Ok((ended, last));
            };
            last = newest.seq;
            let over = news
                .iter()
                .filter(|record| matches!(record.event, Event::State { to, .. } if to.is_final()));
            ended.extend(over.map(|record| record.deployment));
        }
    });
    read.await
}

async fn deliver(tools: &Tools, collector: &Collector, id: DeploymentId) {
    let mut pauses = PAUSES.iter();
    loop {
        let refusal = match send(tools, collector, id).await {
            Ok(()) => return,
            Err(refusal) => refusal,
        };
        let pause = pauses.next().filter(|_| refusal.retry != Retry::Never);
        match pause {
            Some(pause) => sleep(*pause).await,
            None => {
                tracing::warn!(deployment = id, "its trace was not taken: {refusal}");
                return;
            }
        }
    }
}

async fn send(tools: &Tools, collector: &Collector, id: DeploymentId) -> Result<(), Refusal> {
    let read = tools
        .journal
        .store()
        .read(move |c| Ok::<_, StoreError>((deployments::get(c, id)?, events::after(c, id, 0)?)));
    match read.await? {
        (Some(deployment), told) => {
            collector
                .send(&tools.server.public_url, &deployment, &told)
                .await
        }
        (None, _) => Ok(()),
    }
}
