//! The conversation with the server: HTTP/1.1 over its socket.

#[cfg(test)]
mod tests;

use super::failure::CliError;
use crate::config::Contact;
use crate::intake::hook_protocol::SOCKET;
use crate::system::{socket, users};
use crate::web::Refusal;
use crate::web::types::Which;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

/// A server that has not begun to show something by then is taken for frozen.
const SHOWN: Duration = Duration::from_secs(60);
/// The same for what it has to do first: a large repository may have to be fetched to find a branch.
const DONE: Duration = Duration::from_secs(15 * 60);
/// No document of the server's is longer.
const LONGEST: usize = 64 << 20;

/// What a query asks for: names, and the values of those that are given.
pub(super) type Query<'a> = [(&'a str, Option<&'a str>)];

/// Speaks with the server.
pub(super) struct Client {
    socket: PathBuf,
    config: PathBuf,
}

impl Client {
    /// Of the server with this configuration.
    pub fn of(server: &Contact) -> Client {
        Client {
            socket: server.state_dir.join(SOCKET),
            config: server.file.clone(),
        }
    }

    /// Asks for a document.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<T, CliError> {
        let target = target(path, query);
        // A plan is made; all else is only shown.
        let within = if path == "plan" { DONE } else { SHOWN };
        let request = self.send(Method::GET, &target, Vec::new());
        let (response, _sender) = self.within(within, request).await?;
        document(&format!("GET {path}"), response).await
    }

    /// Asks for something to be done.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| CliError::local("cannot write the request", error.into()))?;
        let target = target(path, &[]);
        let request = self.send(Method::POST, &target, body);
        let (response, _sender) = self.within(DONE, request).await?;
        document(&format!("POST {path}"), response).await
    }

    /// Asks for an answer that goes on.
    pub async fn stream(&self, path: &str, query: &Query<'_>) -> Result<Stream, CliError> {
        let target = target(path, query);
        let request = self.send(Method::GET, &target, Vec::new());
        let (response, sender) = self.within(SHOWN, request).await?;
        Ok(Stream {
            body: response.into_body(),
            rest: BytesMut::new(),
            _sender: sender,
        })
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), CliError> {
        let stream = self.connect().map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
        // An error of the connection is also one of the answer, where it is told.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(http::header::HOST, "teal")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| {
                CliError::local("cannot write the request", io::Error::other(error))
            })?;
        let response = sender.send_request(request).await.map_err(cut)?;
        if response.status().is_success() {
            return Ok((response, sender));
        }
        Err(refused(response).await)
    }

    async fn within<T>(
        &self,
        time: Duration,
        answer: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let silent =
            || io::Error::new(io::ErrorKind::TimedOut, "it took the request and is silent");
        let answer = tokio::time::timeout(time, answer).await;
        answer.unwrap_or_else(|_| Err(self.unreachable(silent())))
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let stream = socket::connect(&self.socket)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }

    /// The user whose server this is, as far as its folder tells.
    fn owner(&self) -> String {
        let folder = self.socket.ancestors().skip(1);
        let facts = folder.filter_map(|folder| std::fs::metadata(folder).ok());
        match facts.map(|facts| facts.uid()).next() {
            Some(uid) => users::by_uid(uid).name,
            None => "teal".to_owned(),
        }
    }

    fn unreachable(&self, source: io::Error) -> CliError {
        CliError::Unreachable {
            socket: self.socket.clone(),
            config: self.config.clone(),
            owner: self.owner(),
            source,
        }
    }
}

/// An answer that goes on.
pub(super) struct Stream {
    body: Incoming,
    rest: BytesMut,
    // The connection lives as long as somebody could ask it something.
    _sender: SendRequest<Full<Bytes>>,
}

impl Stream {
    /// The next piece; nothing at the end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, CliError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(cut)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The next line that is not empty, without its end; nothing at the end.
    pub async fn line(&mut self) -> Result<Option<Bytes>, CliError> {
        loop {
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let mut line = self.rest.split_to(end + 1);
                line.truncate(end);
                if !line.is_empty() {
                    return Ok(Some(line.freeze()));
                }
            }
            match self.piece().await? {
                Some(piece) => self.rest.extend_from_slice(&piece),
                None if self.rest.is_empty() => return Ok(None),
                None => return Ok(Some(self.rest.split().freeze())),
            }
        }
    }
}

/// The part of a query that says which environment is meant.
pub(super) fn named(which: &Which) -> [(&'static str, Option<&str>); 2] {
    let env = Some(which.env.as_str()).filter(|env| !env.is_empty());
    [("env", env), ("app", which.app.as_deref())]
}

fn target(path: &str, query: &Query<'_>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    match pairs.finish() {
        query if query.is_empty() => format!("/api/v1/{path}"),
        query => format!("/api/v1/{path}?{query}"),
    }
}

async fn document<T: DeserializeOwned>(
    asked: &str,
    response: Response<Incoming>,
) -> Result<T, CliError> {
    let body = whole(response).await?;
    // Some answers say everything with their status.
    let text: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(text).map_err(|error| CliError::Answer {
        asked: asked.to_owned(),
        why: error.to_string(),
    })
}

async fn refused(response: Response<Incoming>) -> CliError {
    let status = response.status().as_u16();
    let body = match whole(response).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let refusal = serde_json::from_slice(&body).unwrap_or_else(|_| {
        let text = crate::report::one_line(String::from_utf8_lossy(&body).trim(), 200);
        let error = match text.as_str() {
            "" => format!("the server answered {status}"),
            text => format!("the server answered {status}: {text}"),
        };
        Refusal {
            status,
            error,
            next: None,
        }
    });
    CliError::Refused(Refusal { status, ..refusal })
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, CliError> {
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    Ok(body
        .map_err(|error| CliError::Cut(error.to_string()))?
        .to_bytes())
}

fn cut(error: hyper::Error) -> CliError {
    CliError::Cut(error.to_string())
}
