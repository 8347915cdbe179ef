//! Every kind of value: what is accepted, what the script gets, what people are told.

use super::samples::{choice, param, refusals, script, text};
use crate::arguments::{Given, check_text};
use crate::param::{Kind, Param};

/// Kind, accepted texts with their canonical form, message, refused texts.
type Row = (
    Kind,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (
        Kind::Text,
        &[
            ("plain", "plain"),
            (" a  b ", " a  b "),
            ("ü𝄞", "ü𝄞"),
            ("\u{202e}x", "\u{202e}x"),
        ],
        "must be one line, without line ends",
        &["a\nb", "a\r\nb", "a\r"],
    ),
    (
        Kind::Text,
        &[],
        "may not contain control characters",
        &["a\tb", "\u{1b}[31m", "\u{7f}", "\u{85}"],
    ),
    (
        Kind::Multiline,
        &[("a\r\nb\n", "a\nb\n"), ("\ta", "\ta"), ("\n", "\n")],
        "may not contain control characters",
        &["a\rb", "\u{1b}[31m", "\u{b}"],
    ),
    (
        Kind::Integer,
        &[
            ("7", "7"),
            (" 007 ", "7"),
            ("+7", "7"),
            ("-0", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
        ],
        "write a whole number, such as 7",
        &[
            "7.0", "1e3", "0x7", "seven", "-", "+", "1_000", "1 000", "٣", "--7",
        ],
    ),
    (
        Kind::Integer,
        &[],
        "is too large for a whole number; the limits are -9223372036854775808 and 9223372036854775807",
        &[
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
        ],
    ),
    (
        Kind::Number,
        &[
            ("2.50", "2.50"),
            (" -.5", "-0.5"),
            ("1e3", "1000"),
            ("7", "7"),
        ],
        "write a number, such as 2.5",
        &["2,5", "NaN", "inf", ".", "1.2.3", "0x1", "1e"],
    ),
    (
        Kind::Number,
        &[],
        "has too many digits; at most 19 may stand before the point and 18 after it",
        &["1e99", "0.0000000000000000001"],
    ),
    (
        Kind::Flag,
        &[
            ("true", "true"),
            ("on", "true"),
            ("false", "false"),
            ("off", "false"),
        ],
        "must be `true` or `false`",
        &["yes", "1", "TRUE", " true"],
    ),
    (
        Kind::Count,
        &[("0", "0"), (" 3 ", "3"), ("255", "255")],
        "write how often, as a whole number from 0 to 255",
        &["256", "-1", "+1", "1.0", "x"],
    ),
    (
        Kind::Date,
        &[
            ("2026-11-21", "2026-11-21"),
            ("2024-02-29", "2024-02-29"),
            (" 0001-01-01 ", "0001-01-01"),
        ],
        "write a day as year-month-day, such as 2026-11-21",
        &[
            "2026-02-29",
            "2026-13-01",
            "0000-01-01",
            "26-11-21",
            "2026-1-2",
            "21.11.2026",
            "-2026-11-21",
            "2026-11-21T00:00",
            "12026-11-21",
            "today",
        ],
    ),
    (
        Kind::Time,
        &[
            ("14:30", "14:30"),
            ("00:00:00", "00:00:00"),
            (" 23:59:59", "23:59:59"),
        ],
        "write a time of day, such as 14:30",
        &[
            "24:00",
            "14:60",
            "14:30:60",
            "2:30",
            "14",
            "14:30:05.5",
            "2pm",
            "14:30:",
            "1 4:30",
        ],
    ),
    (
        Kind::DateTime,
        &[
            ("2026-11-21T14:30", "2026-11-21T14:30"),
            ("2026-11-21 14:30:05", "2026-11-21T14:30:05"),
        ],
        "write a day and a time, such as 2026-11-21T14:30",
        &[
            "2026-11-21",
            "14:30",
            "2026-11-21T14:30Z",
            "2026-11-21T14:30+01:00",
            "2026-11-21  14:30",
        ],
    ),
    (
        Kind::Duration,
        &[("1h30m", "1h30m"), (" 250ms", "250ms")],
        "write a duration with its unit, such as 30s, 10m, 2h, 1d or 1h30m",
        &["30", "-3s", "3 s", "1w", "99999999999999999999d"],
    ),
    (
        Kind::Email,
        &[
            ("ann@example.org", "ann@example.org"),
            (" a.b+c@x-y.example ", "a.b+c@x-y.example"),
            ("root@localhost", "root@localhost"),
        ],
        "write an e-mail address, such as ann@example.org",
        &[
            "ann",
            "@example.org",
            "ann@",
            "a@b@c.example",
            "a b@example.org",
            ".a@example.org",
            "a..b@example.org",
            "a@-x.example",
            "a@example.org\nBcc: x@example.org",
            "\"a\"@example.org",
            "Ann <ann@example.org>",
        ],
    ),
    (
        Kind::Url,
        &[
            ("https://example.org", "https://example.org"),
            (" HTTP://[::1]:80/a?b=c#d", "HTTP://[::1]:80/a?b=c#d"),
        ],
        "write a web address that begins with http:// or https://",
        &[
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http:example.org",
            "http://",
            "http:///etc",
            "https://exa mple.org",
            "https://example.org\\@evil.example",
            "https://a\tb",
            "https://[::1",
            "https://x:99999/",
            "http:\\\\example.org",
        ],
    ),
    (
        Kind::Hostname,
        &[
            ("db1", "db1"),
            (" DB1.example.org ", "DB1.example.org"),
            ("3com.example", "3com.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ],
        "write a host name, such as db1.example.org",
        &[
            "-db",
            "db-",
            "a..b",
            ".a",
            "a.",
            "a_b",
            "bücher.example",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "a.0x1",
            "::1",
            "a b",
            "a/b",
            "a;id",
        ],
    ),
    (
        Kind::Ip,
        &[
            ("192.0.2.7", "192.0.2.7"),
            (" 2001:DB8:0::7 ", "2001:db8::7"),
        ],
        "write an IP address, such as 192.0.2.7 or 2001:db8::7",
        &[
            "192.0.2",
            "192.0.2.07",
            "fe80::1%eth0",
            "[::1]",
            "192.0.2.7/24",
            "db1",
        ],
    ),
    (
        Kind::Ipv4,
        &[("192.0.2.7", "192.0.2.7")],
        "write an IPv4 address, such as 192.0.2.7",
        &["::1", "256.0.0.1"],
    ),
    (
        Kind::Ipv6,
        &[("0:0::1", "::1")],
        "write an IPv6 address, such as 2001:db8::7",
        &["192.0.2.7", ":::"],
    ),
    (
        Kind::Path,
        &[
            ("a.csv", "a.csv"),
            ("a/b c/-d", "a/b c/-d"),
            ("..a", "..a"),
            (" ", " "),
        ],
        "write a path below the folder, such as reports/may.csv, without `..`",
        &[
            "/etc/passwd",
            "..",
            "../a",
            "a/../../b",
            "a/..",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\nb",
        ],
    ),
    (
        Kind::Json,
        &[
            (" {\"a\": [1, 1e999999, null]}\r\n", ""),
            ("12345678901234567890.10", "12345678901234567890.10"),
            ("[\r\n1]", "[\n1]"),
        ],
        "write valid JSON; it breaks at line 1, column 2",
        &["{a: 1}", "['a']"],
    ),
];

#[test]
fn every_kind_accepts_its_values_and_tells_people_what_it_wants() {
    for (kind, good, message, bad) in ROWS {
        let param = param("x", *kind);
        for (given, canonical) in *good {
            // An empty canonical text in a row means: refused by the number's size alone.
            if canonical.is_empty() {
                assert!(check_text(&param, given).is_err(), "{kind:?} {given:?}");
            } else {
                assert_eq!(
                    check_text(&param, given).as_deref(),
                    Ok(*canonical),
                    "{kind:?}"
                );
                assert_eq!(
                    check_text(&param, canonical).as_deref(),
                    Ok(*canonical),
                    "{kind:?}"
                );
            }
        }
        for given in *bad {
            assert_eq!(
                check_text(&param, given).as_deref(),
                Err(&(*message).to_owned()),
                "{kind:?} {given:?}"
            );
            let by_client = refusals(&script(vec![param.clone()]), [("x", text(given))]);
            assert_eq!(by_client, [format!("x: {message}")], "{kind:?} {given:?}");
        }
    }
}

#[test]
fn the_rows_cover_every_kind_but_choice() {
    for (word, kind) in Kind::ALL {
        let covered = ROWS.iter().any(|row| row.0 == kind);
        assert!(covered || kind == Kind::Choice, "{word}");
    }
}

#[test]
fn a_nul_is_refused_by_every_kind_that_takes_text() {
    for (word, kind) in Kind::ALL {
        let param = Param {
            choices: vec![choice("a")],
            ..param("x", kind)
        };
        let message = check_text(&param, "a\0b").expect_err(word);
        assert_eq!(message, "may not contain a NUL character", "{word}");
    }
}

#[test]
fn json_types_fit_only_where_they_mean_the_same() {
    use Given::{Flag, Number};
    let number = || Number("5".to_owned());
    for (kind, given, message) in [
        (Kind::Integer, number(), None),
        (Kind::Number, Number("0.1".to_owned()), None),
        (Kind::Count, number(), None),
        (Kind::Json, number(), None),
        (Kind::Json, Flag(true), None),
        (Kind::Flag, Flag(true), None),
        (Kind::Flag, number(), Some("must be `true` or `false`")),
        (
            Kind::Count,
            Flag(true),
            Some("write how often, as a whole number from 0 to 255"),
        ),
        (
            Kind::Integer,
            Flag(true),
            Some("write a whole number, such as 7"),
        ),
        (
            Kind::Number,
            Flag(true),
            Some("write a number, such as 2.5"),
        ),
        (
            Kind::Text,
            number(),
            Some("must be text; put it in quotation marks"),
        ),
        (
            Kind::Date,
            number(),
            Some("must be text; put it in quotation marks"),
        ),
    ] {
        let expected: Vec<String> = message.iter().map(|m| format!("x: {m}")).collect();
        assert_eq!(
            refusals(&script(vec![param("x", kind)]), [("x", given)]),
            expected,
            "{kind:?}"
        );
    }
}
