//! `teal freeze <env>`.

use super::args::Freeze;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::web::types::{FreezeRequest, FreezeShown, Which};

/// Holds pushes to an environment back, or lets them go on.
pub(super) async fn run(
    client: &Client,
    which: Which,
    args: &Freeze,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let request = FreezeRequest {
        which,
        until_ms: args.until,
        why: args.message.clone(),
        lift: args.lift,
    };
    let frozen: FreezeShown = client.post("freeze", &request).await?;
    if screen.json {
        return screen.document(&frozen);
    }
    let env = &frozen.env;
    match &frozen.hold {
        Some(hold) => {
            screen.say(format!("{env}: {hold}"));
            screen.say(format!(
                "pushes wait; let them go on with: teal freeze {env} --lift"
            ));
        }
        None if frozen.lifted => screen.say(format!("{env}: the freeze is lifted, pushes go on")),
        None => screen.say(format!("{env} was not frozen; pushes go live")),
    }
    Ok(Code::Done)
}
