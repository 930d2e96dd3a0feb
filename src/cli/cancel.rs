//! `teal cancel <deployment>`.

use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::domain::{Deployment, DeploymentId, State};

/// Stops a deployment that waits or runs.
pub(super) async fn run(
    client: &Client,
    id: DeploymentId,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let deployment: Deployment = client
        .post(&format!("deployments/{id}/cancel"), &serde_json::json!({}))
        .await?;
    if screen.json {
        return screen.document(&deployment);
    }
    screen.say(said(&deployment));
    Ok(Code::Done)
}

fn said(deployment: &Deployment) -> String {
    let (id, env) = (deployment.id, &deployment.env);
    match deployment.state {
        State::Cancelled => format!("deployment {id} of {env} is cancelled"),
        state if state.is_final() => format!("deployment {id} of {env} has ended: it is {state}"),
        _ => {
            format!("deployment {id} of {env} is being stopped; look at it with: teal logs {id} -f")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn a_running_deployment_is_only_being_stopped() {
        let said = |state| said(&samples::deployment(42, "arq/production", state));
        assert_eq!(
            said(State::Cancelled),
            "deployment 42 of arq/production is cancelled"
        );
        assert!(said(State::Running).contains("is being stopped"));
        assert!(said(State::Live).contains("has ended: it is live"));
    }
}
