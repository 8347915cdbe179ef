//! A client for HTTP/1.1 on loopback with one connection: as little as possible, so that it
//! measures the server and not itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// One connection that is kept open.
pub struct Client {
    reader: BufReader<TcpStream>,
    head: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects; each request carries the token.
    pub fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n");
        Ok(Self {
            reader: BufReader::new(stream),
            head,
        })
    }

    /// Sends and reads a whole answer.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> anyhow::Result<Answer> {
        self.send(method, path, body)?;
        let (status, length) = self.read_head()?;
        let body = match length {
            Some(length) => {
                let mut body = vec![0; length];
                self.reader.read_exact(&mut body)?;
                body
            }
            None => self.read_chunks()?,
        };
        Ok(Answer { status, body })
    }

    /// Opens a stream of events; lines are read by [`Client::line`].
    pub fn open_stream(&mut self, path: &str) -> anyhow::Result<()> {
        self.send("GET", path, None)?;
        let (status, _) = self.read_head()?;
        if status != 200 {
            bail!("{path} answered {status}");
        }
        Ok(())
    }

    /// The next line of a stream, chunk sizes among them; empty at its end.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line)
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&str>) -> anyhow::Result<()> {
        let mut text = format!("{method} {path} HTTP/1.1\r\n{}", self.head);
        if let Some(body) = body {
            let length = body.len();
            text.push_str("Content-Type: application/json\r\nContent-Length: ");
            text.push_str(&length.to_string());
            text.push_str("\r\n\r\n");
            text.push_str(body);
        } else {
            text.push_str("\r\n");
        }
        self.reader.get_mut().write_all(text.as_bytes())?;
        Ok(())
    }

    fn read_head(&mut self) -> anyhow::Result<(u16, Option<usize>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.with_context(|| format!("not an answer: {first:?}"))?;
        let mut length = Some(0);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = Some(value.parse()?),
                Some(("transfer-encoding", _)) => length = None,
                Some(_) => {}
                None => return Ok((status, length)),
            }
        }
    }

    fn read_chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(self.line()?.trim_end(), 16)?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(body);
            }
            chunk.truncate(size);
            body.append(&mut chunk);
        }
    }
}
