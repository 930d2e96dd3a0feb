use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A keep-alive HTTP/1.1 connection: small on purpose, so that nothing repeats a request or hides a cut.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection {
            stream: BufReader::new(stream),
        })
    }

    /// One request, one answer.
    pub fn ask(&mut self, method: &str, host: &str, path: &str, body: &str) -> io::Result<Answer> {
        let length = match method {
            "GET" | "HEAD" => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        self.send(
            method,
            &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n{body}"),
        )
    }

    /// One request as it goes over the wire, one answer.
    pub fn send(&mut self, method: &str, request: &str) -> io::Result<Answer> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        loop {
            let (status, headers) = self.head()?;
            // 1xx announces an answer and is none; 101 is the last thing said in HTTP.
            if status >= 200 || status == 101 {
                let body = self.body(status, method, &headers)?;
                return Ok(Answer {
                    status,
                    headers,
                    body,
                });
            }
        }
    }

    fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let first = self.line()?;
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .ok_or_else(|| invalid(&first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn body(
        &mut self,
        status: u16,
        method: &str,
        headers: &[(String, String)],
    ) -> io::Result<String> {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let mut body = Vec::new();
        if method == "HEAD" || status == 204 || status == 304 || status == 101 {
        } else if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            self.chunks(&mut body)?;
        } else if let Some(length) = header("content-length") {
            let length = length.parse().map_err(|_| invalid(length))?;
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        } else {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| invalid(&line))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.line()?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not HTTP/1.1: `{text}`"),
    )
}

/// `GET` over a connection of its own.
pub fn get(address: SocketAddr, host: &str, path: &str) -> io::Result<Answer> {
    Connection::open(address)?.ask("GET", host, path, "")
}
