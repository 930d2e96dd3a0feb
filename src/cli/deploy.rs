//! `teal deploy <env>`.

use super::args::Deploy;
use super::client::Client;
use super::failure::{CliError, Code};
use super::follow;
use super::screen::Screen;
use crate::web::types::{DeployRequest, Which};

/// Deploys a ref, or what the environment's branch points to.
pub(super) async fn run(
    client: &Client,
    which: Which,
    args: &Deploy,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = DeployRequest {
        which,
        ref_name: args.ref_name.clone(),
        fast: args.fast,
        full: args.full,
        skip_tests: args.skip_tests,
        now: args.now,
    };
    let begun = client.post("deployments", &request).await?;
    follow::begun(client, begun, args.detach, screen).await
}
