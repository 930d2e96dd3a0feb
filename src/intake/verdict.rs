use crate::domain::{DeploymentId, State};
use crate::worker::Worker;

/// A verdict: the ref may move, or why not.
pub(super) type Judged = Result<(), String>;

/// Waits for the end of a deployment, and judges by it.
pub(super) async fn verdict(worker: &Worker, id: DeploymentId) -> Judged {
    match worker.ended(id).await {
        Ok(deployment) if deployment.state == State::Live => Ok(()),
        Ok(deployment) => Err(match deployment.failure {
            Some(failure) => one_line(&failure.cause),
            None => format!("deployment {id} is {}", deployment.state),
        }),
        Err(error) => Err(error.to_string()),
    }
}

/// A reason as git's protocol carries it: one line, cut to size.
pub(super) fn one_line(text: &str) -> String {
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    if text.chars().count() > 300 {
        short.push('…');
    }
    short
}
