//! A client without a browser that comes from the address it wants.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::form::Form;
use crate::http::Answer;
use crate::program::Program;

pub struct Somebody {
    from: Ipv4Addr,
    to: SocketAddrV4,
    cookies: Vec<(String, String)>,
    /// Lines of each request beside the usual ones.
    lines: Vec<(String, String)>,
}

impl Somebody {
    /// At 127.0.0.`last`.
    pub fn at(program: &Program, last: u8) -> Self {
        let to = program.url.trim_start_matches("http://").parse();
        Self {
            from: Ipv4Addr::new(127, 0, 0, last),
            to: to.expect("an address"),
            cookies: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// With this line in each request from now on.
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Fills in the log-in form.
    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let page = self.send("GET", "/login", &[], "").expect(200).text();
        let form = Form::of(&page, "/login")
            .fill("name", name)
            .fill("password", password);
        self.submit(&form)
    }

    /// Sends a form as a browser does.
    pub fn submit(&mut self, form: &Form) -> Answer {
        let origin = format!("http://{}", self.to);
        let lines = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", origin.as_str()),
        ];
        self.send("POST", &form.action, &lines, &form.body())
    }

    /// A call of the API with this token.
    pub fn call(&mut self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send("GET", "/api/v1/me", &[("Authorization", &bearer)], "")
    }

    pub fn send(&mut self, method: &str, path: &str, lines: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.to
        );
        let own = self
            .lines
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in lines.iter().copied().chain(own) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect();
            head.extend(["Cookie: ", pairs.join("; ").as_str(), "\r\n"]);
        }
        if method == "POST" {
            head.extend(["Content-Length: ", body.len().to_string().as_str(), "\r\n"]);
        }
        let mut tcp = self.connection();
        tcp.write_all(format!("{head}\r\n").as_bytes())
            .expect("sent");
        // Whoever is refused by the length of the body may find nobody who reads it.
        let _ = tcp.write_all(body.as_bytes());
        let mut bytes = Vec::new();
        let _ = tcp.read_to_end(&mut bytes);
        let answer = parse(&bytes);
        self.keep(&answer);
        answer
    }

    fn connection(&self) -> TcpStream {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &SocketAddrV4::new(self.from, 0)).expect("bound");
        connect(&socket, &self.to).expect("it listens");
        let tcp = TcpStream::from(socket);
        let patience = Some(Duration::from_mins(1));
        tcp.set_read_timeout(patience).expect("a limit");
        tcp
    }

    fn keep(&mut self, answer: &Answer) {
        let lines = answer.headers.iter();
        for (_, line) in lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            self.cookies.retain(|(known, _)| known != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status
            .and_then(|status| status.parse().ok())
            .expect("a status"),
        headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        body: bytes[end + 4..].to_vec(),
    }
}
