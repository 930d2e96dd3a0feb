//! `teal rollback <env>`.

use super::args::Rollback;
use super::client::Client;
use super::failure::{CliError, Code};
use super::follow;
use super::screen::Screen;
use crate::web::types::{RollbackRequest, Which};

/// Goes back to the warm release, or to an older one.
pub(super) async fn run(
    client: &Client,
    which: Which,
    args: &Rollback,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = RollbackRequest {
        which,
        to: args.to.clone(),
        yes: args.yes,
    };
    let begun = client.post("rollback", &request).await?;
    follow::begun(client, begun, args.detach, screen).await
}
