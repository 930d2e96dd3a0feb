//! `teal approve <deployment>` and `teal reject <deployment>`.

use super::args::Answer;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::plain;
use crate::domain::Deployment;
use crate::report;
use crate::web::types::{AnswerRequest, DeploymentShown};

/// Says yes or no to a deployment that waits for it, and shows what that is about.
pub(super) async fn run(
    client: &Client,
    args: &Answer,
    approved: bool,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let id = args.deployment;
    let shown: DeploymentShown = client.get(&format!("deployments/{id}"), &[]).await?;
    let verb = if approved { "approve" } else { "reject" };
    let request = AnswerRequest {
        why: args.message.clone(),
    };
    let path = format!("deployments/{id}/{verb}");
    let answered: Deployment = client.post(&path, &request).await?;
    if screen.json {
        return screen.document(&answered);
    }
    let subject = shown.subject.as_deref();
    screen.line(&plain(report::headline(&shown.deployment, subject)));
    for line in shown.changes.iter().flat_map(report::brings) {
        screen.line(&line);
    }
    screen.say(said(&answered));
    Ok(Code::Done)
}

fn said(deployment: &Deployment) -> String {
    let id = deployment.id;
    let words = deployment.approval.as_ref().and_then(report::answered);
    let words = words.unwrap_or_else(|| deployment.state.phrase().to_owned());
    match deployment.state.is_final() {
        true => format!("{words}; deployment {id} has ended, and what serves was not touched"),
        false => format!("{words}; it goes live now: teal logs {id} -f"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;
    use crate::domain::{Answer, Asked, State};

    #[test]
    fn it_is_said_what_follows_from_the_answer() {
        let said = |approved, state| {
            let mut deployment = samples::deployment(42, "arq/production", state);
            deployment.approval = Some(Asked {
                of: "group:release".to_owned(),
                since_ms: 0,
                until_ms: 1,
                answer: Some(Answer {
                    approved,
                    by: Some("ada".to_owned()),
                    said_ms: 0,
                    why: Some("the fair".to_owned()),
                }),
            });
            said(&deployment)
        };
        insta::assert_snapshot!(said(true, State::Running), @"approved by ada: the fair; it goes live now: teal logs 42 -f");
        insta::assert_snapshot!(said(false, State::Cancelled), @"rejected by ada: the fair; deployment 42 has ended, and what serves was not touched");
    }
}
