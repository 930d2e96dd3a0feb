use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// What an answer carries.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A fixed text, or nothing.
pub(super) fn fixed(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A part of a file, from where it stands.
pub(super) fn stream(file: File, count: u64) -> Body {
    FileBody {
        reader: tokio::fs::File::from_std(file).take(count),
    }
    .boxed_unsync()
}

/// A part of a file, read as the client takes it.
struct FileBody {
    reader: tokio::io::Take<tokio::fs::File>,
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        const PIECE: usize = 64 * 1024;
        if self.reader.limit() == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE];
        let mut buffer = ReadBuf::new(&mut piece);
        let read = Pin::new(&mut self.reader).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        Poll::Ready(Some(match std::task::ready!(read) {
            // The file was cut meanwhile: the client must not take the rest for the whole.
            Ok(()) if length == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(()) => {
                piece.truncate(length);
                Ok(Frame::data(Bytes::from(piece)))
            }
            Err(error) => Err(error),
        }))
    }
}
