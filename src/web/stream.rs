//! Answers that are written while they are read: one sender, one body, nothing buffered but what is on its way.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde::Serialize;
use std::convert::Infallible;

/// The writing end of a streamed answer.
pub struct Lines(Sender<Bytes, Infallible>);

/// The reader is gone; there is nobody to write for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl Lines {
    /// Writes bytes as they are.
    pub async fn raw(&mut self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.send_data(bytes.into()).await.map_err(|_| Gone)
    }

    /// Writes a value as one line of JSON.
    pub async fn json(&mut self, value: &impl Serialize) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(value).map_err(|_| Gone)?;
        line.push(b'\n');
        self.raw(line).await
    }
}

/// An answer that `write` writes in a task of its own; it ends when `write` does, or when the reader is gone.
pub fn answer<F: Future<Output = Result<(), Gone>> + Send + 'static>(
    content_type: &'static str,
    write: impl FnOnce(Lines) -> F,
) -> Response {
    let (sender, body) = Channel::new(16);
    tokio::spawn(write(Lines(sender)));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static(content_type),
    );
    response
}
