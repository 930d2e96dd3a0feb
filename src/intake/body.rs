//! Reads a request's body within its limits, so that a stranger can fill neither memory nor time. What is held of a
//! body counts against its sender's share of the memory.

use super::Refusal;
use super::budget::Share;
use super::shown::shown;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

/// The longest body: the 25 MB that GitHub may send, and some room for a form's encoding.
pub const LIMIT: usize = 25 * 1024 * 1024 + 64 * 1024;

/// How long a body may take from its first byte to its last.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The whole body, unless it is compressed, too long or too slow. A body whose announced length is over the limit is
/// refused before any of it is read; one that does not announce its length is read up to the limit.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    share: &mut Share,
) -> Result<Vec<u8>, Refusal>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    read_within(headers, body, share, LIMIT, DEADLINE).await
}

async fn read_within<B>(
    headers: &HeaderMap,
    body: B,
    share: &mut Share,
    limit: usize,
    deadline: Duration,
) -> Result<Vec<u8>, Refusal>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    refuse_encoded(headers)?;
    let announced = body
        .size_hint()
        .exact()
        .or_else(|| announced_length(headers));
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge { limit });
    }
    tokio::time::timeout(deadline, collect(body, share, limit))
        .await
        .unwrap_or(Err(Refusal::TooSlow {
            seconds: deadline.as_secs(),
        }))
}

/// Forges never compress. Taking compressed bodies would only mean that a small one may become a huge one.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Refusal> {
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(value.as_bytes());
        if !encoding.trim().eq_ignore_ascii_case("identity") {
            return Err(Refusal::ContentEncoding(shown(&encoding, 40)));
        }
    }
    Ok(())
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

async fn collect<B>(body: B, share: &mut Share, limit: usize) -> Result<Vec<u8>, Refusal>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    let mut body = pin!(body);
    // Memory grows with what has come, not with what was announced.
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Broken(shown(&error.to_string(), 120)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > limit.saturating_sub(whole.len()) {
            return Err(Refusal::TooLarge { limit });
        }
        if !share.take(data.len()) {
            return Err(Refusal::Busy);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::budget::Budget;
    use http::HeaderValue;
    use http_body::{Body, Frame};
    use http_body_util::{Empty, Full};
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    fn share() -> Share {
        Budget::default().share([127, 0, 0, 1].into())
    }

    /// A body of unknown length that gives `left` pieces of 1000 bytes and then ends, or waits for ever.
    struct Pieces {
        left: usize,
        then_wait: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return if self.then_wait {
                    Poll::Pending
                } else {
                    Poll::Ready(None)
                };
            }
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; 1000])))))
        }
    }

    async fn status(headers: &[(&'static str, &str)], body: Pieces) -> Result<usize, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        read_within(&map, body, &mut share(), 10_000, Duration::from_millis(20))
            .await
            .map(|whole| whole.len())
            .map_err(|refusal| refusal.status().as_u16())
    }

    fn pieces(left: usize) -> Pieces {
        Pieces {
            left,
            then_wait: false,
        }
    }

    #[tokio::test]
    async fn a_body_within_the_limits_is_whole() {
        assert_eq!(status(&[], pieces(10)).await, Ok(10_000));
        let identity = [("content-encoding", "identity")];
        assert_eq!(status(&identity, pieces(1)).await, Ok(1000));
        let none = read(&HeaderMap::new(), Empty::<Bytes>::new(), &mut share()).await;
        assert_eq!(none.unwrap(), b"");
        let some = read(
            &HeaderMap::new(),
            Full::new(Bytes::from_static(b"{}")),
            &mut share(),
        )
        .await;
        assert_eq!(some.unwrap(), b"{}");
    }

    #[tokio::test]
    async fn an_endless_body_is_read_up_to_the_limit_and_no_further() {
        let mut endless = pieces(usize::MAX);
        let refusal = collect(Pin::new(&mut endless), &mut share(), 10_000)
            .await
            .unwrap_err();
        assert_eq!(refusal.status().as_u16(), 413);
        assert_eq!(usize::MAX - endless.left, 11);
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused_unread() {
        let mut long = pieces(5);
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_LENGTH,
            HeaderValue::from_static("10000000000"),
        );
        let refusal = read(&headers, Pin::new(&mut long), &mut share())
            .await
            .unwrap_err();
        assert_eq!(refusal.status().as_u16(), 413);
        assert_eq!(long.left, 5);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let stalled = Pieces {
            left: 3,
            then_wait: true,
        };
        assert_eq!(status(&[], stalled).await, Err(408));
    }

    #[tokio::test]
    async fn a_compressed_body_is_refused_unread() {
        for encoding in ["gzip", "identity, gzip", "", "br"] {
            let headers = [("content-encoding", encoding)];
            assert_eq!(status(&headers, pieces(1)).await, Err(415), "{encoding:?}");
        }
    }
}
