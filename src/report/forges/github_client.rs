//! GitHub's API through octocrab, without what it does of itself: it repeats a POST at once when the answer is 5xx, waits
//! without end, and drops the headers of errors. All of that is decided where messages are sent.

use crate::config::{ForgeApi, ForgeLogin};
use crate::report::wire::{Answer, PATIENCE, Refusal, trouble};
use crate::system::https;
use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Limited};
use octocrab::models::{AppId, InstallationId};
use octocrab::service::middleware::retry::RetryConfig;
use octocrab::{Octocrab, OctocrabBuilder};
use serde_json::Value;

/// No answer that matters is longer.
const LONGEST: usize = 1 << 20;

/// GitHub's API as whoever Teal is there.
#[derive(Debug, Clone)]
pub struct GitHubApi {
    crab: Octocrab,
}

type Answered = Result<Response<BoxBody<Bytes, octocrab::Error>>, octocrab::Error>;

impl GitHubApi {
    /// Opens it; nothing is asked yet.
    pub fn new(api: &ForgeApi) -> Result<GitHubApi, Refusal> {
        https::provide();
        let version = HeaderName::from_static("x-github-api-version");
        let builder = OctocrabBuilder::new()
            .base_uri(api.url.as_str())
            .map_err(refusal)?
            .add_retry_config(RetryConfig::None)
            .set_connect_timeout(Some(PATIENCE))
            .set_read_timeout(Some(PATIENCE))
            .set_write_timeout(Some(PATIENCE))
            .add_header(version, "2022-11-28".to_owned());
        let crab = match &api.login {
            ForgeLogin::Token(token) => {
                let builder = builder.personal_token(token.expose().to_owned());
                builder.build().map_err(refusal)?
            }
            ForgeLogin::App {
                id,
                installation,
                key,
            } => {
                let pem = std::fs::read(key).map_err(|error| {
                    Refusal::later(format!("cannot read {}: {error}", key.display()))
                })?;
                let app = builder.app_from_rsa_pem(AppId(*id), &pem).map_err(|_| {
                    Refusal::later(format!(
                        "{} is not a private key in PEM form",
                        key.display()
                    ))
                })?;
                let app = app.build().map_err(refusal)?;
                // Its token lasts an hour; octocrab asks for another one in time.
                app.installation(InstallationId(*installation))
                    .map_err(refusal)?
            }
        };
        Ok(GitHubApi { crab })
    }

    /// Asks for something.
    pub async fn get(&self, path: &str) -> Result<Answer, Refusal> {
        within(self.crab._get(path)).await
    }

    /// Sends something.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Refusal> {
        within(self.crab._post(path, Some(body))).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Refusal> {
        within(self.crab._patch(path, Some(body))).await
    }
}

async fn within(request: impl Future<Output = Answered>) -> Result<Answer, Refusal> {
    let whole = async {
        let (head, body) = request.await.map_err(refusal)?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let body = body.map_err(|_| Refusal::later("its answer broke off"))?;
        Ok(Answer::new(head.status, head.headers, &body.to_bytes()))
    };
    let answer = tokio::time::timeout(PATIENCE, whole).await;
    let words = format!("it did not answer within {} s", PATIENCE.as_secs());
    answer.unwrap_or_else(|_| Err(Refusal::later(words)))
}

/// What goes wrong before there is an answer, or when the installation's token is asked for.
fn refusal(error: octocrab::Error) -> Refusal {
    match &error {
        octocrab::Error::GitHub { source, .. } => {
            let status = StatusCode::from_u16(source.status_code.as_u16());
            let status = status.map_or(0, |status| status.as_u16());
            Refusal::later(format!(
                "the app's installation got no token: it answered {status}: {}",
                super::super::wording::one_line(&source.message, 200)
            ))
        }
        _ => Refusal::later(trouble(&error)),
    }
}
