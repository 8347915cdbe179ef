//! What can be wrong between the first byte and the empty line.

use super::{Case, Row, head, start};

/// The whole head but its empty line.
#[rustfmt::skip]
const LINES: &[Row] = &[
    ("bare LF behind the request line", 400,
        "GET /healthz HTTP/1.1\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("bare LF everywhere", 400,
        "GET /healthz HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("bare CR behind the request line", 400,
        "GET /healthz HTTP/1.1\rHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("two CR behind the request line", 400,
        "GET /healthz HTTP/1.1\r\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("CR in the target", 400,
        "GET /heal\rthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("NUL in the target", 400,
        "GET /healthz\0 HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("control character in the method", 400,
        "G\u{8}ET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("tab behind the method", 400,
        "GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("two blanks behind the method", 400,
        "GET  /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("two blanks behind the target", 400,
        "GET /healthz  HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("blank behind the version", 400,
        "GET /healthz HTTP/1.1 \r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("blank in the target", 400,
        "GET /heal thz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("blank before the method", 400,
        " GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("two empty lines before the request", 400,
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("bare LF before the request", 400,
        "\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("HTTP/0.9", 400,
        "GET /healthz\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("one word", 400,
        "GET\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("no target", 400,
        "GET HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("version in small letters", 400,
        "GET /healthz http/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("version with three digits", 400,
        "GET /healthz HTTP/1.10\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n"),
    ("version without a dot", 400,
        "GET /healthz HTTP/11\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("version that breaks off", 400,
        "GET /healthz HTTP/1.\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("another protocol", 400,
        "GET /healthz ICAP/1.0\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("HTTP/1.2", 505,
        "GET /healthz HTTP/1.2\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("HTTP/2.0", 505,
        "GET /healthz HTTP/2.0\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("HTTP/0.9 that says so", 505,
        "GET /healthz HTTP/0.9\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("the preface of HTTP/2", 505,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("TRACE", 405,
        "TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("CONNECT", 405,
        "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("CONNECT with a path", 405,
        "CONNECT /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("method with a bracket", 400,
        "GE(T /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("method with a colon", 400,
        "GET: /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("method in another alphabet", 400,
        "GÉT /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("bytes of TLS", 400,
        "\u{16}\u{3}\u{1}\0\u{1}GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("target in another alphabet", 400,
        "GET /healthz?q=ü HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz?q=%C3%BC HTTP/1.1\r\nHost: localhost\r\n"),
    ("target with a quote", 400,
        "GET /healthz?q=\" HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz?q=%22 HTTP/1.1\r\nHost: localhost\r\n"),
    ("target with a fragment", 400,
        "GET /healthz#top HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz?q=[a|b]{c}^\\~ HTTP/1.1\r\nHost: localhost\r\n"),
    ("target without a slash", 400,
        "GET healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("target of another scheme", 400,
        "GET ftp://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET HTTPS://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("target with a user", 400,
        "GET http://a@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET http://localhost:80/healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("target without a host", 400,
        "GET http:///healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET http://[::1]:80/healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("target that is a host", 400,
        "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("asterisk with GET", 400,
        "GET * HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("no Host", 400,
        "GET /healthz HTTP/1.1\r\nHots: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nhOsT: localhost\r\n"),
    ("no Host in HTTP/1.0", 400,
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n"),
    ("Host twice", 400,
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Host: localhost\r\n"),
    ("another Host too", 400,
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
    ("empty Host", 400,
        "GET /healthz HTTP/1.1\r\nHost:\r\n",
        "GET /healthz HTTP/1.1\r\nHost:localhost\r\n"),
    ("Host with a blank", 400,
        "GET /healthz HTTP/1.1\r\nHost: localhost evil.example\r\n",
        "GET /healthz HTTP/1.1\r\nHost: \t localhost \t\r\n"),
    ("Host with a path", 400,
        "GET /healthz HTTP/1.1\r\nHost: localhost/a\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost:80\r\n"),
    ("Host with a user", 400,
        "GET /healthz HTTP/1.1\r\nHost: a@localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: [::1]\r\n"),
    ("list of Hosts", 400,
        "GET /healthz HTTP/1.1\r\nHost: localhost, evil.example\r\n",
        "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:7373\r\n"),
    ("Host in another alphabet", 400,
        "GET /healthz HTTP/1.1\r\nHost: lócalhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: LOCALHOST\r\n"),
];

/// One field behind Host, with its end.
#[rustfmt::skip]
const FIELDS: &[Row] = &[
    ("bare LF behind a field", 400, "X: a\n", "X: a\r\n"),
    ("bare CR behind a field", 400, "X: a\rY: b\r\n", "X: a\r\nY: b\r\n"),
    ("two CR behind a field", 400, "X: a\r\r\n", "X: a\r\n"),
    ("CR in a value", 400, "X: a\rb\r\n", "X: a b\r\n"),
    ("bare LF at the end of the head", 400, "X: a\r\n\n", "X: a\r\n"),
    ("CR and something at the end of the head", 400, "X: a\r\n\rX", "X: a\r\n"),
    ("NUL in a name", 400, "X\0Y: a\r\n", "X-Y: a\r\n"),
    ("NUL in a value", 400, "X: a\0b\r\n", "X: a%00b\r\n"),
    ("control character in a value", 400, "X: a\u{1}b\r\n", "X: a\tb\r\n"),
    ("escape in a value", 400, "X: \u{1b}[2J\r\n", "X: [2J\r\n"),
    ("DEL in a value", 400, "X: a\u{7f}\r\n", "X: a~\r\n"),
    ("vertical tab before a value", 400, "X:\u{b}a\r\n", "X:\ta\r\n"),
    ("blank before a colon", 400, "X : a\r\n", "X: a\r\n"),
    ("tab before a colon", 400, "X\t: a\r\n", "X:\ta\r\n"),
    ("folded line", 400, "X: a\r\n b\r\n", "X: a b\r\n"),
    ("line folded by a tab", 400, "X: a\r\n\tb\r\n", "X: a\tb\r\n"),
    ("folded to nothing", 400, "X: a\r\n \r\n", "X: a \r\n"),
    ("blank before a name", 400, " X: a\r\n", "X: a\r\n"),
    ("no name", 400, ": a\r\n", "X: a\r\n"),
    ("no colon", 400, "X\r\n", "X:\r\n"),
    ("blank in a name", 400, "X Y: a\r\n", "X_Y: a\r\n"),
    ("name in another alphabet", 400, "Ü: a\r\n", "X: Ü\r\n"),
    ("name with a bracket", 400, "X(Y): a\r\n", "X!Y: a\r\n"),
    ("name with a quote", 400, "\"X\": a\r\n", "X: \"a\"\r\n"),
    ("unknown expectation", 417, "Expect: 200-ok\r\n", "Expect: 100-Continue\r\n"),
    ("two expectations in a line", 417,
        "Expect: 100-continue, x\r\n", "Expect: 100-continue\r\n"),
    ("two lines of expectations", 417,
        "Expect: 100-continue\r\nExpect: 100-continue\r\n", "Expect: 100-continue\r\n"),
    ("no expectation", 417, "Expect:\r\n", "Expect: 100-continue\r\n"),
];

/// The fields that frame a body of 18 bytes.
#[rustfmt::skip]
const LENGTHS: &[Row] = &[
    ("length with a plus", 400, "Content-Length: +18\r\n", "Content-Length: 18\r\n"),
    ("length with a minus", 400, "Content-Length: -1\r\n", "Content-Length: 18\r\n"),
    ("length in hexadecimal", 400, "Content-Length: 0x12\r\n", "content-length: 18\r\n"),
    ("list of lengths", 400, "Content-Length: 18,18\r\n", "Content-Length: 18\r\n"),
    ("two numbers", 400, "Content-Length: 1 8\r\n", "Content-Length:18\r\n"),
    ("no number", 400, "Content-Length:\r\n", "Content-Length: 18\r\n"),
    ("length of twenty digits", 400,
        "Content-Length: 18446744073709551634\r\n", "Content-Length: 18\r\n"),
    ("length twice", 400,
        "Content-Length: 18\r\nContent-Length: 18\r\n", "Content-Length: 18\r\n"),
    ("two lengths", 400,
        "Content-Length: 18\r\nContent-length: 0\r\n", "Content-Length: 18\r\n"),
    ("length with a zero before it", 400, "Content-Length: 018\r\n", "Content-Length: 18\r\n"),
    ("length behind a tab", 400, "Content-Length:\t18\r\n", "Content-Length: 18\r\n"),
    ("length behind two blanks", 400, "Content-Length:  18\r\n", "Content-Length: 18\r\n"),
    ("blank behind a length", 400, "Content-Length: 18 \r\n", "Content-Length: 18\r\n"),
    ("length with an exponent", 400, "Content-Length: 18e0\r\n", "Content-Length: 18\r\n"),
    ("length with a point", 400, "Content-Length: 18.0\r\n", "Content-Length: 18\r\n"),
    ("length in other digits", 400, "Content-Length: ١٨\r\n", "Content-Length: 18\r\n"),
    ("length and coding", 400,
        "Content-Length: 18\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 18\r\n"),
    ("coding and length", 400,
        "Transfer-Encoding: chunked\r\nContent-Length: 18\r\n", "Content-Length: 18\r\n"),
    ("coding twice", 400,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 18\r\n"),
    ("chunked and chunked", 400,
        "Transfer-Encoding: chunked, chunked\r\n", "Content-Length: 18\r\n"),
    ("identity", 400, "Transfer-Encoding: identity\r\n", "Content-Length: 18\r\n"),
    ("chunked and identity", 400,
        "Transfer-Encoding: chunked, identity\r\n", "Content-Length: 18\r\n"),
    ("gzip", 501, "Transfer-Encoding: gzip\r\n", "Content-Length: 18\r\n"),
    ("gzip and chunked", 501, "Transfer-Encoding: gzip, chunked\r\n", "Content-Length: 18\r\n"),
    ("chunked and gzip", 400, "Transfer-Encoding: chunked, gzip\r\n", "Content-Length: 18\r\n"),
    ("a coding that ends alike", 501, "Transfer-Encoding: xchunked\r\n", "Content-Length: 18\r\n"),
    ("coding behind a tab", 400, "Transfer-Encoding:\tchunked\r\n", "Content-Length: 18\r\n"),
    ("coding behind a vertical tab", 400,
        "Transfer-Encoding:\u{b}chunked\r\n", "Content-Length: 18\r\n"),
    ("coding behind two blanks", 400, "Transfer-Encoding:  chunked\r\n", "Content-Length: 18\r\n"),
    ("blank behind a coding", 400, "Transfer-Encoding: chunked \r\n", "Content-Length: 18\r\n"),
    ("coding with a parameter", 400, "Transfer-Encoding: chunked;a=b\r\n", "Content-Length: 18\r\n"),
    ("quoted coding", 400, "Transfer-Encoding: \"chunked\"\r\n", "Content-Length: 18\r\n"),
    ("no coding", 400, "Transfer-Encoding:\r\n", "Content-Length: 18\r\n"),
    ("comma before a coding", 400, "Transfer-Encoding: ,chunked\r\n", "Content-Length: 18\r\n"),
    ("comma behind a coding", 400, "Transfer-Encoding: chunked,\r\n", "Content-Length: 18\r\n"),
    ("folded coding", 400, "Transfer-Encoding:\r\n chunked\r\n", "Content-Length: 18\r\n"),
];

pub fn cases(token: &str) -> Vec<Case> {
    let lines = LINES.iter().map(|(name, status, bad, good)| Case {
        name,
        bad: head(bad),
        status: *status,
        good: head(good),
        good_status: 200,
    });
    let with = |field: &str| {
        head(&format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{field}"
        ))
    };
    let fields = FIELDS.iter().map(|(name, status, bad, good)| Case {
        name,
        bad: with(bad),
        status: *status,
        good: with(good),
        good_status: 200,
    });
    let lengths = LENGTHS.iter().map(|(name, status, bad, good)| Case {
        name,
        bad: start(token, bad, r#"{"script":"hello"}"#),
        status: *status,
        good: start(token, good, r#"{"script":"hello"}"#),
        good_status: 201,
    });
    let mut cases: Vec<Case> = lines.chain(fields).chain(lengths).collect();
    cases.extend(sizes());
    cases.extend(others(token));
    cases
}

/// What is too much, and what is just not.
fn sizes() -> [Case; 4] {
    let target = |size: usize| {
        let query = "q".repeat(size);
        head(&format!(
            "GET /healthz?{query} HTTP/1.1\r\nHost: localhost\r\n"
        ))
    };
    let field = |size: usize, count: usize| {
        let fields = format!("X: {}\r\n", "x".repeat(size)).repeat(count);
        head(&format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}"
        ))
    };
    let case = |name, status, bad, good| Case {
        name,
        bad,
        status,
        good,
        good_status: 200,
    };
    [
        // The words around the query are 24 bytes with the line's end.
        case("too long a line", 414, target(8192 - 23), target(8192 - 24)),
        case(
            "too long a field",
            431,
            field(8192 - 4, 1),
            field(8192 - 5, 1),
        ),
        // The first two lines and the last are 42 bytes.
        case("too large a head", 431, field(8167, 2), field(8166, 2)),
        case("too many fields", 431, field(1, 100), field(1, 99)),
    ]
}

/// Where bad and good differ in more than one place, or the good one is not found.
fn others(token: &str) -> [Case; 3] {
    let body = "12\r\n{\"script\":\"hello\"}\r\n0\r\n\r\n";
    let chunked = start(token, "Transfer-Encoding: CHUNKED\r\n", body);
    let old = String::from_utf8_lossy(&chunked).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let asterisk = |method| head(&format!("{method} * HTTP/1.1\r\nHost: localhost\r\n"));
    [
        Case {
            name: "coding in HTTP/1.0",
            bad: old.into_bytes(),
            status: 400,
            good: chunked,
            good_status: 201,
        },
        Case {
            name: "asterisk with POST",
            bad: asterisk("POST"),
            status: 400,
            good: asterisk("OPTIONS"),
            good_status: 204,
        },
        Case {
            name: "HEAD without Host",
            bad: head("HEAD /healthz HTTP/1.1\r\n"),
            status: 400,
            good: head("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n"),
            good_status: 200,
        },
    ]
}
