//! `teal destroy <env>`.

use super::args::Destroy;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::web::types::{DestroyRequest, DestroyedShown, Which};
use std::path::PathBuf;

/// Takes an environment down, and says what became of it.
pub(super) async fn run(
    client: &Client,
    which: Which,
    args: &Destroy,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let yes = args.yes;
    let request = DestroyRequest { which, yes };
    let done: DestroyedShown = client.post("destroy", &request).await?;
    if screen.json {
        return screen.document(&done);
    }
    let env = &done.env;
    screen.say(match done.stopped.is_empty() {
        true => format!("{env}: nothing ran"),
        false => format!("{env}: {}", done.stopped.join(", ")),
    });
    if !done.removed.is_empty() {
        screen.say(format!("removed: {}", paths(&done.removed)));
    }
    if !done.kept.is_empty() {
        screen.say(format!("left as it is: {}", paths(&done.kept)));
    }
    screen.say(match done.configured {
        true => format!(
            "take {env} out of the configuration and restart the server; until then the next push deploys it anew"
        ),
        false => format!("{env} is gone; its history stays"),
    });
    Ok(Code::Done)
}

fn paths(paths: &[PathBuf]) -> String {
    let shown = paths.iter().map(|path| path.display().to_string());
    shown.collect::<Vec<_>>().join(", ")
}
