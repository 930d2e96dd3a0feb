//! `teal maintenance on|off <env>`.

use super::args::Switch;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::web::types::{MaintenanceRequest, Which};

/// Shows visitors the maintenance page, or the app again.
pub(super) async fn run(
    client: &Client,
    which: Which,
    state: Switch,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let on = state == Switch::On;
    let env = which.env.clone();
    let request = MaintenanceRequest { which, on };
    let _: serde_json::Value = client.post("maintenance", &request).await?;
    if screen.json {
        return screen.document(&serde_json::json!({ "env": env, "maintenance": on }));
    }
    screen.say(match on {
        true => format!(
            "visitors of {env} see the maintenance page; end it with: teal maintenance off {env}"
        ),
        false => format!("visitors of {env} see the app"),
    });
    Ok(Code::Done)
}
