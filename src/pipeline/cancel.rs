//! The wish to stop a deployment, as its steps see it.

use std::sync::Arc;
use tokio::sync::watch;

/// A handle that can be pulled once; clones share it.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<Option<String>>>);

impl Default for Cancel {
    fn default() -> Self {
        Cancel(Arc::new(watch::Sender::new(None)))
    }
}

impl Cancel {
    /// Asks the deployment to stop; the first reason stays.
    pub fn pull(&self, why: &str) {
        self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(why.to_owned());
            }
            first
        });
    }

    /// Why it was pulled, if it was.
    pub fn pulled(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until it is pulled; gives the reason.
    pub async fn wait(&self) -> String {
        let mut state = self.0.subscribe();
        let pulled = state.wait_for(Option::is_some).await;
        // The sender lives in this very handle, so waiting never ends for want of one.
        pulled.ok().and_then(|why| why.clone()).unwrap_or_default()
    }
}
