use crate::system::files;
use crate::system::watched::Watched;
use crate::worker::Worker;
use std::path::Path;
use tokio::sync::watch;

/// What the follower of a log waits for: something written in its folder, or something journaled.
pub(super) struct News {
    journaled: watch::Receiver<i64>,
    written: Option<Watched>,
}

impl News {
    /// Of this folder; without one, only of what is journaled.
    pub fn of(worker: &Worker, folder: Option<&Path>) -> News {
        let written = folder.and_then(|folder| {
            // The first command of a deployment makes its folder, and may not have begun yet.
            files::create_dir(folder, 0o750).ok()?;
            Watched::folder(folder).ok()
        });
        News {
            journaled: worker.tools().journal.changes(),
            written,
        }
    }

    /// Waits until there is something to look at.
    pub async fn come(&mut self) {
        let written = async {
            match &self.written {
                Some(folder) => folder.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.journaled.changed() => {}
            _ = written => {}
        }
    }
}
