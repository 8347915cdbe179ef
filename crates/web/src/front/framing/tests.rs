//! The table of malformed requests and their twins, and what no table shows.

use super::*;
use crate::front::malformed::cases;

/// What stands behind a request in the same connection.
const SECOND: &[u8] = b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What was found in the bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where each whole request ends.
    pub ends: Vec<usize>,
    /// How many bytes may pass.
    pub passed: usize,
    /// What was to follow them.
    pub then: Then,
    /// What is known of the last request.
    pub asked: Asked,
}

/// The bytes of a connection that arrive in pieces, each ending at one of the cuts or at the end.
pub(crate) fn found(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Found {
    let mut framing = Framing::default();
    let (mut ends, mut passed) = (Vec::new(), 0);
    let mut then = Then::More;
    'pieces: for end in cuts.into_iter().chain([bytes.len()]) {
        while passed < end {
            let verdict = framing.follow(&bytes[passed..end]);
            passed += verdict.pass;
            then = verdict.then;
            match then {
                Then::More => break,
                Then::Refused(_) => break 'pieces,
                Then::Whole => ends.push(passed),
            }
        }
    }
    Found {
        ends,
        passed,
        then,
        asked: framing.asked(),
    }
}

fn with_second(request: &[u8]) -> Vec<u8> {
    [request, SECOND].concat()
}

fn status(then: Then) -> u16 {
    match then {
        Then::Refused(refusal) => refusal.status.as_u16(),
        Then::More | Then::Whole => 0,
    }
}

#[test]
fn f8_every_malformed_request_of_the_table_is_refused() {
    for case in cases("token") {
        let found = found(&with_second(&case.bad), []);
        assert_eq!(status(found.then), case.status, "{}: {found:?}", case.name);
        assert!(found.ends.is_empty(), "{}", case.name);
        assert!(found.passed < case.bad.len(), "{}", case.name);
    }
}

#[test]
fn f8_every_twin_passes_to_its_last_byte_and_no_further() {
    for case in cases("token") {
        assert!(matches!(case.good_status, 200 | 201 | 204 | 404));
        let bytes = with_second(&case.good);
        let found = found(&bytes, []);
        let ends = [case.good.len(), bytes.len()];
        assert_eq!(found.ends, ends, "{}: {found:?}", case.name);
    }
}

#[test]
fn f8_how_the_bytes_are_cut_changes_no_verdict() {
    for case in cases("token") {
        for bytes in [with_second(&case.bad), with_second(&case.good)] {
            let whole = found(&bytes, []);
            assert_eq!(found(&bytes, 1..bytes.len()), whole, "{}", case.name);
            // Every cut of a small one; of a large one those around its beginning and its end.
            let is_near = |cut: &usize| *cut < 300 || cut + 300 > bytes.len();
            for cut in (0..bytes.len()).filter(is_near) {
                assert_eq!(found(&bytes, [cut]), whole, "{} at {cut}", case.name);
            }
        }
    }
}

#[test]
fn a_reason_can_stand_in_json_as_it_is() {
    for case in cases("token") {
        let Then::Refused(refusal) = found(&with_second(&case.bad), []).then else {
            panic!("{} is not refused", case.name);
        };
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        assert!(refusal.reason.bytes().all(is_plain), "{refusal}");
        assert!(refusal.reason.ends_with('.'), "{refusal}");
    }
}

#[test]
fn what_is_known_of_a_bad_request_is_known() {
    let asked = |line: &str| {
        let found = found(format!("{line}\r\nX : a\r\n\r\n").as_bytes(), []);
        assert_eq!(status(found.then), 400, "{line}");
        (found.asked.is_head, found.asked.is_api)
    };
    assert_eq!(asked("GET /runs HTTP/1.1"), (false, false));
    assert_eq!(asked("HEAD /runs HTTP/1.1"), (true, false));
    assert_eq!(asked("HEAD /api/v1/runs HTTP/1.1"), (true, true));
    assert_eq!(asked("GET http://a/api/v1/runs HTTP/1.1"), (false, true));
    assert_eq!(asked("GET /base/api/v1/runs HTTP/1.1"), (false, true));
    assert_eq!(asked("GET http://a/?/api/v1/ HTTP/1.1"), (false, false));
    assert_eq!(asked("GET /apis HTTP/1.1"), (false, false));
}

#[test]
fn a_body_is_followed_to_its_end_however_long_it_is() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n";
    let found_of = |body: &str| found(format!("{head}{body}").as_bytes(), []);
    assert_eq!(found_of("").passed, head.len());
    assert_eq!(found_of("GET / HTTP/1.1\n\n").then, Then::More);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let found_of = |body: &str| found(format!("{head}{body}").as_bytes(), []);
    assert_eq!(found_of("ffffffff\r\nGET / HTTP/1.1\n\n").then, Then::More);
    assert_eq!(status(found_of("fffffffff\r\n").then), 400);
    assert_eq!(found_of("fffffffff\r\n").passed, head.len() + 8);
}

#[test]
fn nothing_is_no_request() {
    let nothing = found(b"", []);
    assert_eq!((nothing.then, nothing.passed), (Then::More, 0));
}
