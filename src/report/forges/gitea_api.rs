use crate::config::{ForgeApi, ForgeLogin};
use crate::report::wire::{Answer, Refusal, Wire};
use http::Method;
use serde_json::Value;

/// One repository at Gitea or Forgejo, through its API.
#[derive(Debug, Clone)]
pub struct GiteaApi {
    wire: Wire,
    pub(super) api: ForgeApi,
}

impl GiteaApi {
    /// The repository that the API names.
    pub fn new(wire: &Wire, api: &ForgeApi) -> GiteaApi {
        GiteaApi {
            wire: wire.clone(),
            api: api.clone(),
        }
    }

    /// Asks for something below the repository; empty: for the repository itself.
    pub async fn get(&self, path: &str) -> Result<Answer, Refusal> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends something there.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Refusal> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
        let answer = self.wire.send(request).await?;
        answer.taken().map_err(|refusal| self.advise(refusal))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/repos/{}/{path}", self.api.url, self.api.project);
        let request = self.wire.request(method, url.trim_end_matches('/'));
        match &self.api.login {
            // Forgejo tells `token` from `Token`.
            ForgeLogin::Token(token) => {
                request.header("authorization", format!("token {}", token.expose()))
            }
            ForgeLogin::App { .. } => request,
        }
    }

    fn advise(&self, refusal: Refusal) -> Refusal {
        let project = &self.api.project;
        match refusal.words.get(..15) {
            Some("it answered 401") => refusal.hint("the token is wrong"),
            Some("it answered 403" | "it answered 404") => refusal.hint(&format!(
                "the token needs `write:repository`, and its user may write to {project}"
            )),
            _ => refusal,
        }
    }
}
