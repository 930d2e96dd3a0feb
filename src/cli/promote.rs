//! `teal promote <from> <to>`.

use super::args::Promote;
use super::client::Client;
use super::failure::{CliError, Code};
use super::follow;
use super::screen::Screen;
use crate::web::types::PromoteRequest;

/// Deploys the commit that one environment serves to another one.
pub(super) async fn run(
    client: &Client,
    app: Option<&str>,
    args: &Promote,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = PromoteRequest {
        from: args.from.clone(),
        to: args.to.clone(),
        app: app.map(str::to_owned),
        now: args.now,
    };
    let begun = client.post("promote", &request).await?;
    follow::begun(client, begun, args.detach, screen).await
}
