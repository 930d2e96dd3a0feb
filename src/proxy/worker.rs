use super::pool::Pool;
use super::settings::Settings;
use super::shared::Shared;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// What the connections of one thread share.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// This thread's connections to services.
    pub pool: Arc<Pool>,
    /// The limits in force.
    pub settings: Arc<Settings>,
    /// What the thread has to finish before it ends.
    pub open: TaskTracker,
}
