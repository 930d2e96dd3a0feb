//! The user's nginx, where it moves the traffic.

use crate::config;
use crate::traffic::{Nginx, STATE_FILE};
use crate::web::types::Finding;
use std::path::Path;

/// Whether nginx runs, accepts its configuration, and reads Teal's files.
pub(super) async fn look(settings: &config::Nginx, state_dir: &Path) -> Finding {
    const AREA: &str = "nginx";
    let nginx = Nginx::new(settings.clone(), state_dir.join(STATE_FILE));
    match nginx.look().await {
        Ok(()) => Finding::good(
            AREA,
            format!(
                "it accepts its configuration and reads {}",
                settings.conf_dir.display()
            ),
        ),
        // What nginx's errors say ends with what to do.
        Err(error) => Finding::problem(AREA, error.to_string(), ""),
    }
}
