//! Answers as the load reads them: a head, and as many bytes as it promises.

use memchr::memmem;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Whether the connection ends with it.
    pub closes: bool,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads one answer. What came after it stays in `buffer`.
pub async fn read(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Answer> {
    let head = loop {
        if let Some(end) = memmem::find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        more(from, buffer).await?;
    };
    let text = std::str::from_utf8(&buffer[..head]).map_err(io::Error::other)?;
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no status"))?;
    let length = match header(text, "content-length") {
        Some(length) => length.parse().map_err(io::Error::other)?,
        None if status == 101 => 0,
        None => return Err(io::Error::other("an answer without a length")),
    };
    let closes = header(text, "connection").is_some_and(|said| said.eq_ignore_ascii_case("close"));
    while buffer.len() < head + length {
        more(from, buffer).await?;
    }
    let body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Ok(Answer {
        status,
        closes,
        body,
    })
}

async fn more(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.reserve(4096);
    match from.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The value of a header in the text of a head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (said, value) = line.split_once(':')?;
        said.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
