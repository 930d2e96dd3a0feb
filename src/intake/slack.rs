//! Slack's buttons: a press on "Approve" or "Reject" below a message of Teal's bot. Slack signs what it sends with the
//! moment at which it does; who pressed is a user of Slack, whom `[people]` makes somebody. A press names a deployment,
//! which takes one answer: the same press once more changes nothing.

use super::budget::Budget;
use super::envelope::{Envelope, is_signed, vouching};
use super::{Refusal, body};
use crate::approvals::{self, ApprovalError, Word};
use crate::config::{Notify, Place, Server};
use crate::domain::{Account, DeploymentId, Origin};
use crate::report;
use crate::system::clock;
use crate::web::Remote;
use crate::worker::Worker;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use std::time::Duration;

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";
/// What was signed longer ago is somebody else's copy.
const LONGEST_S: i64 = 300;
/// Slack gives up after three seconds; what takes longer goes on without it.
const ANSWER: Duration = Duration::from_secs(2);

/// Why a press is not taken.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    /// What every body is measured by.
    #[error(transparent)]
    Body(#[from] Refusal),
    /// Nobody's secret, or a time that is not now.
    #[error(
        "nothing vouches for this press: check `signing_secret` of [[notify]] and this server's clock"
    )]
    Unsigned,
    /// Not what Slack is documented to send.
    #[error("this is no press of a button: {0}")]
    Garbage(#[from] serde_json::Error),
}

impl Unheard {
    fn status(&self) -> StatusCode {
        match self {
            Unheard::Body(refusal) => refusal.status(),
            Unheard::Unsigned => StatusCode::UNAUTHORIZED,
            Unheard::Garbage(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

#[derive(Deserialize)]
struct Interaction {
    user: Id,
    #[serde(default)]
    channel: Option<Id>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    #[serde(default)]
    value: String,
}

/// A button that somebody pressed.
struct Press {
    user: String,
    channel: Option<String>,
    deployment: DeploymentId,
    approved: bool,
}

/// `POST /hooks/slack/actions`.
pub(super) async fn pressed(
    State(worker): State<Worker>,
    Extension(remote): Extension<Remote>,
    Extension(budget): Extension<Budget>,
    request: Request,
) -> Response {
    let (head, content) = request.into_parts();
    let mut share = budget.share(remote.0);
    let read = body::read(&head.headers, content, &mut share).await;
    let server = &worker.tools().server;
    let heard = match read {
        Ok(read) => hear(server, &head.headers, &read),
        Err(refusal) => Err(refusal.into()),
    };
    drop(share);
    let (notify, press) = match heard {
        Ok(Some(heard)) => heard,
        // Links are buttons too, and nothing is to be done for them.
        Ok(None) => return StatusCode::OK.into_response(),
        Err(unheard) => {
            tracing::info!(%unheard, "a press of a button in Slack was refused");
            return (unheard.status(), unheard.to_string()).into_response();
        }
    };
    let notify = notify.clone();
    let answering = tokio::spawn(async move {
        if let Err(why) = answer(&worker, &notify, &press).await
            && let Some(channel) = &press.channel
            && let Err(error) = report::whisper(&notify, channel, &press.user, &why).await
        {
            tracing::warn!(%error, why, "somebody in Slack is not told why nothing happened");
        }
    });
    // Whatever became of it, the press was heard.
    let _ = tokio::time::timeout(ANSWER, answering).await;
    StatusCode::OK.into_response()
}

/// Makes sure that Slack says it, now, for one of the bots of this server.
fn hear<'s>(
    server: &'s Server,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<(&'s Notify, Press)>, Unheard> {
    let text = |name| vouching(headers, name).map(String::from_utf8_lossy);
    let (time, signature) = (text(TIMESTAMP)?, text(SIGNATURE)?);
    let sent: i64 = time.parse().map_err(|_| Unheard::Unsigned)?;
    let age = clock::now_ms() / 1000 - sent;
    let hex = signature.strip_prefix("v0=").ok_or(Unheard::Unsigned)?;
    if age.saturating_abs() > LONGEST_S {
        return Err(Unheard::Unsigned);
    }
    let signed = [b"v0:", time.as_bytes(), b":", body].concat();
    let vouches = |notify: &&Notify| match &notify.place {
        Place::SlackBot {
            signing_secret: Some(secret),
            ..
        } => is_signed(secret.expose(), &signed, hex.as_bytes()),
        _ => false,
    };
    let notify = server.notify.iter().find(vouches);
    let notify = notify.ok_or(Unheard::Unsigned)?;
    let envelope = Envelope::open(headers, body)?;
    let said: Interaction = serde_json::from_slice(envelope.payload())?;
    Ok(press(said).map(|press| (notify, press)))
}

fn press(said: Interaction) -> Option<Press> {
    let answer = |action: &Action| {
        let approved = match action.action_id.as_str() {
            report::APPROVE => true,
            report::REJECT => false,
            _ => return None,
        };
        Some((action.value.parse().ok()?, approved))
    };
    let (deployment, approved) = said.actions.iter().find_map(answer)?;
    Some(Press {
        user: said.user.id,
        channel: said.channel.map(|channel| channel.id),
        deployment,
        approved,
    })
}

/// Says it for whoever pressed; why nothing came of it, in words for them.
async fn answer(worker: &Worker, notify: &Notify, press: &Press) -> Result<(), String> {
    let tools = worker.tools();
    let id = press.deployment;
    let found = tools
        .journal
        .deployment(id)
        .await
        .map_err(|e| e.to_string())?;
    if !notify.hears.of(&found.env) {
        return Err(format!("deployment {id} is none of this channel's"));
    }
    let access = tools.access();
    let actor = access.whois(Account::Slack(press.user.clone()));
    let word = Word {
        actor: &actor,
        door: Origin::Chat,
        lacking: None,
        approved: press.approved,
        why: None,
    };
    let said = approvals::say(&access, &tools.server, &tools.journal, id, word).await;
    said.map(drop).map_err(|error| match &error {
        ApprovalError::Access(denied) => match denied.why() {
            Some(why) => format!("{error}: {why}"),
            None => error.to_string(),
        },
        _ => error.to_string(),
    })
}
