use crate::config::{ForgeApi, ForgeLogin};
use crate::report::wire::{Answer, Refusal, Wire};
use http::Method;

/// One project at GitLab, through its API.
#[derive(Debug, Clone)]
pub struct GitLabApi {
    wire: Wire,
    pub(super) api: ForgeApi,
}

impl GitLabApi {
    /// The project that the API names.
    pub fn new(wire: &Wire, api: &ForgeApi) -> GitLabApi {
        GitLabApi {
            wire: wire.clone(),
            api: api.clone(),
        }
    }

    /// Asks for something below the project.
    pub async fn get(&self, path: &str) -> Result<Answer, Refusal> {
        self.send(self.request(Method::GET, path)).await?.taken()
    }

    /// Sends a request and reads the answer, whatever it is.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
        self.wire.send(request).await
    }

    /// A request for something below the project; empty: for the project itself.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let project = query(&self.api.project);
        let url = format!("{}/projects/{project}/{path}", self.api.url);
        self.authorized(method, url.trim_end_matches('/'))
    }

    /// A request for any address of the API.
    pub(super) fn authorized(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.wire.request(method, url);
        match &self.api.login {
            ForgeLogin::Token(token) => request.header("private-token", token.expose()),
            ForgeLogin::App { .. } => request,
        }
    }

    /// What to do about a refusal.
    pub fn advise(&self, refusal: Refusal) -> Refusal {
        match refusal.words.get(..15) {
            Some("it answered 401") => refusal.hint("the token is wrong or has expired"),
            Some("it answered 403" | "it answered 404") => refusal.hint(&format!(
                "the token needs the scope `api` and the role Developer in {}",
                self.api.project
            )),
            _ => refusal,
        }
    }
}

/// Words as they stand in an address.
pub(super) fn query(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
