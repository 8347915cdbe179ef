//! Clients that cost much and give nothing (rows B7, B8): silent ones, half handshakes, floods of
//! HTTP/2 frames. Others are served throughout, and nothing of it stays in memory.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::secure::{self, Client, Identity, Secured, address};

/// What RSS may grow beside the tenth that is allowed: libraries touched for the first time.
const SLACK_KIB: u64 = 16 * 1024;

/// Whether limits are waited for as they are.
#[expect(clippy::disallowed_methods, reason = "says how deep to test")]
fn is_deep() -> bool {
    std::env::var_os("STAGEDOOR_KILLS").is_some()
}

/// A connection from another address of the loopback, so that it is another client's.
fn tcp_from(last: u8, to: SocketAddr) -> TcpStream {
    let SocketAddr::V4(to) = to else {
        panic!("IPv4")
    };
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(
        &socket,
        &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0),
    )
    .expect("bound");
    connect(&socket, &to).expect("it listens");
    let tcp = TcpStream::from(socket);
    tcp.set_read_timeout(Some(Duration::from_mins(1)))
        .expect("a limit");
    tcp
}

#[test]
fn b7_silent_clients_and_half_handshakes_do_not_keep_others_out() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    let (to, client) = (address(&program), identity.client());
    let mut held = Vec::new();
    for last in 2..6 {
        for at in 0..100 {
            let mut tcp = tcp_from(last, to);
            if at % 2 == 0 {
                tcp.write_all(&[0x16, 3, 1, 2, 0, 1]).expect("sent");
            }
            held.push(tcp);
        }
        assert!(client.is_served(to), "with {} silent ones", held.len());
    }
    if is_deep() {
        for tcp in &mut held {
            let ended = tcp.read(&mut [0; 64]);
            // An end, an alert, or a reset: anything but the client's own patience.
            let kind = ended.err().map(|error| error.kind());
            assert!(kind != Some(io::ErrorKind::WouldBlock), "it was kept");
        }
        assert!(client.is_served(to));
    }
}

#[test]
fn b7_one_address_cannot_take_every_place() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    let to = address(&program);
    let held: Vec<_> = (0..128).map(|_| tcp_from(9, to)).collect();
    // Which of them was too many does not matter: closed at once, not after the handshake's limit.
    let mut more = tcp_from(9, to);
    let _ = more.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let text = secure::rest(&mut more);
    assert_eq!(text, "", "with {} connections", held.len());
    assert!(identity.client().is_served(to), "another address");
}

#[test]
fn b7_who_floods_the_way_to_https_takes_no_place_of_https() {
    let identity = Identity::new();
    let more = "public_host = \"localhost\"\ntls.redirect_listen = \"127.0.0.1:0\"\n";
    let (mut program, _home) = secure::serve(&identity, more);
    let url = program.said("leading from http://", Duration::from_secs(30));
    let plain = url.trim_start_matches("http://").parse().expect("where");
    let (to, client) = (address(&program), identity.client());

    // Whoever has the most goes first when places are short: one client that does nothing now.
    let again = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut idle: Vec<_> = (0..110)
        .map(|_| client.over(tcp_from(9, to)).expect("a handshake"))
        .collect();
    for stream in &mut idle {
        stream.write_all(again.as_bytes()).expect("sent");
        let answer = &mut [0; 12];
        stream.read_exact(answer).expect("an answer");
        assert_eq!(answer, b"HTTP/1.1 200");
    }
    let flood: Vec<_> = (10..20)
        .flat_map(|last| (0..100).map(move |_| tcp_from(last, plain)))
        .collect();
    let led = secure::ask_plain(plain, secure::get("/login").as_bytes());
    assert!(led.starts_with("HTTP/1.1 308 "), "{led}");
    assert!(
        client.is_served(to),
        "with {} at the other port",
        flood.len()
    );
    for stream in &mut idle {
        let last = secure::get("/healthz");
        stream.write_all(last.as_bytes()).expect("still open");
        let text = secure::rest(stream);
        assert!(text.contains("HTTP/1.1 200 "), "{text}");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// GET of `/healthz`, in HPACK without its table.
fn get(stream: u32, flags: u8) -> Vec<u8> {
    let head = [
        &[0x82, 0x87, 0x04, 8][..],
        b"/healthz",
        &[0x01, 9],
        b"localhost",
    ]
    .concat();
    frame(1, flags, stream, &head)
}

fn http2(client: &Client, to: SocketAddr) -> Secured {
    let mut stream = client.choosing(b"h2").connect(to).expect("a handshake");
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .expect("sent");
    stream.write_all(&frame(4, 0, 0, &[])).expect("sent");
    stream
}

/// Sends pieces until the server ends the connection; how many it took. Together they are far more
/// than what the two kernels keep for a server that reads no more.
fn flood(client: &Client, to: SocketAddr, piece: Piece) -> u32 {
    let mut stream = http2(client, to);
    // What is sent back must not hold the server up: that would end the flood for another reason.
    let mut back = stream.sock.try_clone().expect("a copy");
    let reader = thread::spawn(move || io::copy(&mut back, &mut io::sink()));
    // Nor shall the limit for a first request.
    stream.write_all(&get(1, 0x5)).expect("sent");
    let ended = (0..MOST_PIECES).find(|at| {
        let sent = stream.write_all(&piece(*at));
        let kind = sent.err().map(|error| error.kind());
        assert_ne!(kind, Some(io::ErrorKind::WouldBlock), "it was kept");
        kind.is_some()
    });
    let _ = stream.sock.shutdown(std::net::Shutdown::Both);
    let _ = reader.join();
    ended.expect("the server ends it")
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

type Piece = fn(u32) -> Vec<u8>;

const MOST_PIECES: u32 = 20_000;

const FLOODS: [(&str, Piece); 5] = [
    ("rapid reset", |at| {
        let both = |stream| [get(stream, 0x5), frame(3, 0, stream, &[0, 0, 0, 8])].concat();
        (0..10).flat_map(|n| both(2 * (10 * at + n) + 3)).collect()
    }),
    // The first head goes on and on, by a literal header each that no table keeps.
    ("continuation", |at| {
        let header = [&[0, 1, b'a', 0x7f, 0xc1, 0x3d][..], &[b'x'; 8000]].concat();
        begun_or(at, frame(9, 0, 3, &header))
    }),
    ("empty continuation", |at| {
        begun_or(at, frame(9, 0, 3, &[]).repeat(100))
    }),
    ("pings", |_| frame(6, 0, 0, &[1; 8]).repeat(100)),
    ("settings", |_| frame(4, 0, 0, &[]).repeat(100)),
];

/// A head that is not whole, and then this.
fn begun_or(at: u32, next: Vec<u8>) -> Vec<u8> {
    if at == 0 { get(3, 0x1) } else { next }
}

#[test]
fn b7_floods_over_http_2_end_while_others_are_served_and_leave_no_memory_behind() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    let (to, client) = (address(&program), identity.client());
    for _ in 0..50 {
        assert!(client.is_served(to));
    }
    let base = resident_kib(program.pid());

    for round in 0..if is_deep() { 20 } else { 3 } {
        for (name, piece) in FLOODS {
            let took = flood(&client, to, piece);
            eprintln!("round {round}, {name}: ended after {took} pieces");
            assert!(client.is_served(to), "after {name}");
        }
    }
    let limit = base + base / 10 + SLACK_KIB;
    let mut now = 0;
    for _ in 0..300 {
        now = resident_kib(program.pid());
        if now <= limit {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("memory: {base} KiB before, {now} KiB after");
    assert!(now <= limit, "{base} KiB before, {now} KiB after");
}

#[test]
fn b7_many_requests_in_the_ordinary_way_are_no_flood() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    let mut stream = http2(&identity.client(), address(&program));
    for at in 0..2000 {
        stream.write_all(&get(2 * at + 1, 0x5)).expect("taken");
        // Until the end of this request's answer.
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).expect("a frame");
            let [a, b, c, kind, flags, ..] = head;
            let mut content = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            stream.read_exact(&mut content).expect("its content");
            assert!(!matches!(kind, 3 | 7), "request {at}: {kind} {content:?}");
            if kind == 4 && flags & 1 == 0 {
                stream.write_all(&frame(4, 1, 0, &[])).expect("taken");
            }
            if kind == 1 {
                assert_eq!(content[0], 0x88, "200: {content:?}");
            }
            if matches!(kind, 0 | 1) && flags & 1 == 1 {
                break;
            }
        }
    }
}
