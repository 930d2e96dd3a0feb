//! The user's nginx, where it moves the traffic.

use crate::config;
use crate::traffic::{Nginx, NginxError, STATE_FILE};
use crate::web::types::Finding;
use std::path::Path;

const AREA: &str = "nginx";

/// Whether nginx runs, accepts its configuration, and reads Teal's files.
pub(super) async fn look(settings: &config::Nginx, state_dir: &Path) -> Finding {
    let nginx = Nginx::new(settings.clone(), state_dir.join(STATE_FILE));
    match nginx.look().await {
        Ok(()) => Finding::good(
            AREA,
            format!(
                "it accepts its configuration and reads {}",
                settings.conf_dir.display()
            ),
        ),
        Err(error) => ill(&error, &settings.command.join(" ")),
    }
}

/// What nginx said, and what to type. `nginx` is the command that runs it.
fn ill(error: &NginxError, nginx: &str) -> Finding {
    let (what, fix) = match error {
        NginxError::Dead { words, .. } => (
            format!("nginx is not running: {words}"),
            format!("systemctl start nginx, or: {nginx}"),
        ),
        NginxError::Broken { command, words } => (
            format!("nginx refuses its configuration (`{command}`):\n{words}"),
            format!("repair the file that nginx names, then: {nginx} -s reload"),
        ),
        NginxError::NotWritten { .. } => (
            error.to_string(),
            "systemctl restart teal; why it did not start: journalctl -u teal -n 50".to_owned(),
        ),
        NginxError::NotIncluded { conf_dir, .. } => (
            format!("nginx does not read Teal's files in {}", conf_dir.display()),
            format!(
                "put `include {}/teal-*.conf;` inside `http {{ … }}` of nginx.conf, then: {nginx} -s reload",
                conf_dir.display()
            ),
        ),
        NginxError::NotLoaded { .. } => (
            error.to_string(),
            format!("{nginx} -s reload; if it stays so, nginx's error log says why"),
        ),
        NginxError::Run { command, source } => (
            format!("cannot run `{command}`: {source}"),
            "let `[proxy] command` be the nginx that serves here".to_owned(),
        ),
        error => (
            error.to_string(),
            format!("type it yourself, and see what it says: {nginx} -t"),
        ),
    };
    Finding::problem(AREA, what, fix)
}
