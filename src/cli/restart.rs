//! `teal restart <env>`.

use super::args::Follow;
use super::client::Client;
use super::failure::{CliError, Code};
use super::follow;
use super::screen::Screen;
use crate::web::types::Which;

/// Starts the release that serves once more, through the standby slot.
pub(super) async fn run(
    client: &Client,
    which: Which,
    args: &Follow,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let begun = client.post("restart", &which).await?;
    follow::begun(client, begun, args.detach, screen).await
}
