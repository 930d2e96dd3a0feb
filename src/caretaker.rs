//! Looks after what runs beside the server: a proxy that died is started again, a service whose supervisor died gets a
//! new one.

use crate::pipeline::{self, Tools, WEB};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until the server stops.
pub async fn watch(tools: Arc<Tools>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = tools.traffic.ensure_running().await {
            tracing::error!(%error, "the proxy does not run");
        }
        adopt(&tools).await;
    }
}

/// Finding a service whose supervisor is gone gives it a new one.
async fn adopt(tools: &Tools) {
    for env in tools.server.apps.values().flat_map(|app| &app.environments) {
        for color in crate::domain::Color::BOTH {
            if let Err(error) = pipeline::find(tools, &env.id, color, WEB, 0).await {
                tracing::warn!(env = %env.id, %color, %error, "the service cannot be looked after");
            }
        }
    }
}
