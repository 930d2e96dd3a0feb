//! The answers that the proxy gives itself: small, clean, and saying what is missing.

use super::body::Body;
use crate::domain::EnvId;
use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION,
    RETRY_AFTER,
};
use http::{HeaderMap, Method, Response, StatusCode, Uri};

/// What the proxy has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The request's form is ambiguous or broken.
    BadRequest(&'static str),
    /// The method is not one that a reverse proxy passes on.
    BadMethod,
    /// The transfer coding is not one we can pass on.
    BadCoding,
    /// The client stopped sending its request.
    TooSlow,
    /// Nobody claims this host name.
    UnknownHost(String),
    /// The environment has no release yet.
    NothingDeployed(EnvId),
    /// Somebody turned maintenance on.
    Maintenance,
    /// The service did not accept connections in time.
    HoldRanOut,
    /// The service broke the connection before it answered.
    BadGateway,
    /// The service accepted the request and then said nothing.
    GatewayTimeout,
}

impl Page {
    fn status(&self) -> StatusCode {
        match self {
            Page::BadRequest(_) => StatusCode::BAD_REQUEST,
            Page::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Page::BadCoding => StatusCode::NOT_IMPLEMENTED,
            Page::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Page::UnknownHost(_) => StatusCode::NOT_FOUND,
            Page::NothingDeployed(_) | Page::Maintenance | Page::HoldRanOut => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Page::BadGateway => StatusCode::BAD_GATEWAY,
            Page::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn retry_after(&self) -> Option<&'static str> {
        match self {
            Page::NothingDeployed(_) | Page::Maintenance => Some("30"),
            Page::HoldRanOut => Some("5"),
            _ => None,
        }
    }

    /// Whether what follows on the connection cannot be trusted to be a request.
    fn closes(&self) -> bool {
        matches!(
            self,
            Page::BadRequest(_) | Page::BadMethod | Page::BadCoding | Page::TooSlow
        )
    }

    fn words(&self) -> (&'static str, String) {
        let (title, text): (_, &str) = match self {
            Page::BadRequest(why) => ("This request cannot be understood", why),
            Page::BadMethod => (
                "This method is not served here",
                "CONNECT and TRACE are refused.",
            ),
            Page::BadCoding => (
                "This transfer coding is not understood",
                "Only `chunked` is.",
            ),
            Page::TooSlow => ("The request took too long", "Please send it again."),
            Page::UnknownHost(host) => {
                let text = format!(
                    "No app on this server answers to “{host}”. Its environment needs this name under `domain` in teal.toml."
                );
                return ("There is nothing at this address", text);
            }
            Page::NothingDeployed(env) => {
                let text = format!("{env} is set up and waits for its first push.");
                return ("Nothing is deployed yet", text);
            }
            Page::Maintenance => ("Down for maintenance", "Please come back in a moment."),
            Page::HoldRanOut => (
                "The service is not answering",
                "It was waited for in vain. Please try again in a moment.",
            ),
            Page::BadGateway => (
                "The service broke off",
                "It closed the connection before it had answered.",
            ),
            Page::GatewayTimeout => ("The service took too long", "It has not answered in time."),
        };
        (title, text.to_owned())
    }

    /// The answer, as HTML for those who accept it and as text for the others.
    pub fn answer(&self, asked: &HeaderMap, request_id: Option<&HeaderValue>) -> Response<Body> {
        let (title, text) = self.words();
        let (kind, content) = match accepts_html(asked) {
            true => ("text/html; charset=utf-8", html(title, &text)),
            false => ("text/plain; charset=utf-8", format!("{title}. {text}\n")),
        };
        let content = Bytes::from(content);
        let length = HeaderValue::from(content.len());
        let mut response = Response::new(Body::page(content));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if *self == Page::BadMethod {
            let allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if let Some(id) = request_id {
            headers.insert("x-request-id", id.clone());
        }
        response
    }
}

/// Sends the client to the same path at another host name: 308, so that a POST stays a POST.
pub fn redirect(scheme: &str, host: &str, uri: &Uri) -> Response<Body> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let mut response = Response::new(Body::page(Bytes::new()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("{scheme}://{host}{path}")) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    response
}

/// Whether the method is one that a reverse proxy passes on.
pub fn passable(method: &Method) -> bool {
    *method != Method::CONNECT && *method != Method::TRACE
}

fn accepts_html(asked: &HeaderMap) -> bool {
    let mut accepted = asked.get_all(ACCEPT).iter();
    accepted.any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains("text/html"))
    })
}

fn html(title: &str, text: &str) -> String {
    let (title, text) = (escaped(title), escaped(text));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:20vh auto;padding:0 1em;\
         color:#134e4a}}h1{{font-size:1.4em}}@media(prefers-color-scheme:dark){{body{{background:#0b1f1e;color:#ccfbf1}}}}</style>\
         <h1>{title}</h1><p>{text}</p></html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_html_only_for_those_who_accept_it() {
        let mut asked = HeaderMap::new();
        let kind = |asked: &HeaderMap| {
            let answer = Page::Maintenance.answer(asked, None);
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()["retry-after"], "30");
            answer.headers()["content-type"].clone()
        };
        assert_eq!(kind(&asked), "text/plain; charset=utf-8");
        asked.insert(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        assert_eq!(kind(&asked), "text/html; charset=utf-8");
    }

    #[test]
    fn a_hostile_host_is_shown_as_text() {
        let page = html("x", "<script>\"&\u{1b}");
        assert!(page.contains("&lt;script&gt;&quot;&amp;<"), "{page}");
    }

    #[test]
    fn a_redirect_keeps_path_and_query() {
        let answer = redirect("https", "a.ru", &"/x/y?z=1".parse().unwrap());
        assert_eq!(answer.status(), 308);
        assert_eq!(answer.headers()["location"], "https://a.ru/x/y?z=1");
        let answer = redirect("http", "a.ru", &Uri::from_static("*"));
        assert_eq!(answer.headers()["location"], "http://a.ru/");
    }
}
