//! What can be wrong in a body that comes in chunks. The handler sees that its body broke off, so
//! each of them is answered by 400.

use super::{Case, Row, start};

const BODY: &str = "12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n";

/// The whole body. An empty right one stands for [`BODY`].
#[rustfmt::skip]
const CHUNKS: &[Row] = &[
    ("chunk without a size", 400, "\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("size with a plus", 400, "+12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("size with a minus", 400, "-12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("size with 0x", 400, "0x12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("blank before a size", 400, " 12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("blank behind a size", 400, "12 \r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("tab behind a size", 400, "12\t\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("size of nine digits", 400,
        "000000012\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "00000012\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n"),
    ("size beyond all numbers", 400,
        "10000000000000012\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("size that is no number", 400, "1g\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("bare LF behind a size", 400, "12\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("bare CR behind a size", 400, "12\r{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("two CR behind a size", 400, "12\r\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n", ""),
    ("no line end behind a chunk", 400, "12\r\n{\"script\":\"hello\"}0\r\n\r\n", ""),
    ("bare LF behind a chunk", 400, "12\r\n{\"script\":\"hello\"}\n0\r\n\r\n", ""),
    ("bare CR behind a chunk", 400, "12\r\n{\"script\":\"hello\"}\r0\r\n\r\n", ""),
    ("chunk longer than its size", 400,
        "11\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "11\r\n{\"script\":\"hello\"\r\n1\r\n}\r\n0\r\n\r\n"),
    ("chunk shorter than its size", 400,
        "14\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "14\r\n{\"script\":\"hello\"}  \r\n0\r\n\r\n"),
    ("LF in an extension", 400,
        "12;a\nb\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "12;a=b\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n"),
    ("bare CR in an extension", 400,
        "12;a\rb\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "12;a=\"b\"\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n"),
    ("NUL in an extension", 400,
        "12;a\0\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n",
        "12;a\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n"),
    ("bare LF behind the last size", 400, "12\r\n{\"script\":\"hello\"}\r\n0\n\r\n", ""),
    ("bare LF at the end", 400, "12\r\n{\"script\":\"hello\"}\r\n0\r\n\n", ""),
    ("CR and something at the end", 400, "12\r\n{\"script\":\"hello\"}\r\n0\r\n\rX", ""),
    ("no end behind the last chunk", 400, "12\r\n{\"script\":\"hello\"}\r\n00\r\nX\r\n\r\n", ""),
];

/// One trailer, with its end.
#[rustfmt::skip]
const TRAILERS: &[Row] = &[
    ("length as a trailer", 400, "Content-Length: 0\r\n", "X-Check: 1\r\n"),
    ("coding as a trailer", 400, "transfer-encoding: chunked\r\n", "X-Check: 1\r\n"),
    ("Host as a trailer", 400, "HOST: evil.example\r\n", "X-Check: 1\r\n"),
    ("Authorization as a trailer", 400, "Authorization: Bearer x\r\n", "X-Check: 1\r\n"),
    ("Cookie as a trailer", 400, "Cookie: a=b\r\n", "X-Check: 1\r\n"),
    ("Content-Type as a trailer", 400, "Content-Type: text/html\r\n", "X-Check: 1\r\n"),
    ("X-Forwarded-For as a trailer", 400, "X-Forwarded-For: ::1\r\n", "X-Check: 1\r\n"),
    ("Connection as a trailer", 400, "Connection: close\r\n", "X-Check: 1\r\n"),
    ("trailer without a colon", 400, "X-Check\r\n", "X-Check:\r\n"),
    ("trailer without a name", 400, ": 1\r\n", "X: 1\r\n"),
    ("blank before a trailer's colon", 400, "X-Check : 1\r\n", "X-Check: 1\r\n"),
    ("folded trailer", 400, "X-Check: 1\r\n 2\r\n", "X-Check: 1 2\r\n"),
    ("bare LF behind a trailer", 400, "X-Check: 1\n", "X-Check: 1\r\n"),
    ("bare CR in a trailer", 400, "X-Check: 1\r2\r\n", "X-Check: 1 2\r\n"),
    ("NUL in a trailer", 400, "X-Check: \0\r\n", "X-Check: 0\r\n"),
];

pub fn cases(token: &str) -> Vec<Case> {
    let case = |name, bad: &str, good: &str| Case {
        name,
        bad: start(token, "Transfer-Encoding: chunked\r\n", bad),
        status: 400,
        good: start(token, "Transfer-Encoding: chunked\r\n", good),
        good_status: 201,
    };
    let chunks = CHUNKS
        .iter()
        .map(|(name, _, bad, good)| case(name, bad, if good.is_empty() { BODY } else { good }));
    let behind = |trailers: &str| format!("12\r\n{{\"script\":\"hello\"}}\r\n0\r\n{trailers}\r\n");
    let trailers = TRAILERS
        .iter()
        .map(|(name, _, bad, good)| case(name, &behind(bad), &behind(good)));
    let extended = |size: usize, count: usize| {
        let chunk = format!("1;{}\r\n \r\n", "e".repeat(size)).repeat(count);
        format!("{chunk}{BODY}")
    };
    let many = |count: usize| behind(&"X: 1\r\n".repeat(count));
    // With the last empty line, and 5 bytes of the trailer that are not its value.
    let large = |size: usize| behind(&format!("X: {}\r\n", "x".repeat(size - 7)));
    let sizes = [
        case(
            "too long an extension",
            &extended(129, 1),
            &extended(128, 1),
        ),
        case(
            "extensions without end",
            &extended(128, 9),
            &extended(128, 8),
        ),
        case("too many trailers", &many(17), &many(16)),
        case("too large trailers", &large(1025), &large(1024)),
    ];
    chunks.chain(trailers).chain(sizes).collect()
}
