//! Reports as browsers write them, and as nobody does.

use super::*;

const SITE: Site<'static> = Site {
    host: "localhost:7373",
    is_secure: false,
};

fn read(text: &str, format: Format) -> Vec<Violation> {
    violations(text.as_bytes(), format, SITE)
}

fn single(fields: &str) -> Vec<Violation> {
    let text = format!("{{\"csp-report\":{{{fields}}}}}");
    read(&text, Format::Single)
}

/// Directive, blocked, page, source.
fn shown(violations: &[Violation]) -> Vec<[&str; 4]> {
    violations
        .iter()
        .map(|v| [&*v.directive, &*v.blocked, &*v.page, &*v.source])
        .collect()
}

#[test]
fn w8_reports_of_both_kinds_become_the_same() {
    let single = single(
        r#""document-uri":"http://localhost:7373/runs?script=secret","referrer":"",
           "violated-directive":"script-src-elem","effective-directive":"script-src-elem",
           "original-policy":"default-src 'none'","disposition":"enforce","line-number":3,
           "blocked-uri":"https://user:pass@evil.example:8443/x.js?token=1#y",
           "source-file":"http://localhost:7373/static/0/run.js?x","status-code":200"#,
    );
    let batch = read(
        r#"[{"age":5,"type":"csp-violation","url":"http://localhost:7373/runs","user_agent":"x",
             "body":{"documentURL":"http://localhost:7373/runs#a","referrer":"",
                     "effectiveDirective":"script-src-elem","disposition":"enforce",
                     "blockedURL":"https://evil.example:8443/x.js","statusCode":200,
                     "sourceFile":"http://localhost:7373/static/0/run.js","sample":""}},
            {"age":1,"type":"deprecation","url":"x","body":{"id":"y"}}]"#,
        Format::Batch,
    );
    let expected = [[
        "script-src-elem",
        "https://evil.example:8443",
        "/runs",
        "/static/0/run.js",
    ]];
    assert_eq!(shown(&single), expected);
    assert_eq!(single, batch);
}

#[test]
fn w8_words_schemes_and_the_ids_of_runs_are_grouped() {
    for (blocked, kept) in [
        ("inline", "inline"),
        ("eval", "eval"),
        ("trusted-types-sink", "trusted-types-sink"),
        ("data", "data"),
        ("data:text/html,hello", "data"),
        ("chrome-extension", "chrome-extension"),
        ("chrome-extension://abc/x.js", "chrome-extension://abc"),
        ("http://localhost:7373/logout", "/logout"),
        ("http://localhost:80/logout", "http://localhost:80"),
        ("https://localhost:7373/x", "https://localhost:7373"),
        ("", ""),
    ] {
        let fields = format!(
            r#""document-uri":"http://LOCALHOST:7373/runs/01900000-0000-7000-8000-000000000000",
               "violated-directive":"img-src 'self' data:","blocked-uri":"{blocked}""#
        );
        assert_eq!(
            shown(&single(&fields)),
            [["img-src", kept, "/runs/…", ""]],
            "{blocked}"
        );
    }
}

#[test]
fn w8_what_is_not_a_report_on_a_page_of_ours_is_dropped() {
    let document = r#""document-uri":"http://localhost:7373/""#;
    assert_eq!(
        single(&format!(r#"{document},"effective-directive":"img-src""#)).len(),
        1
    );
    for fields in [
        "",
        document,
        r#""document-uri":"http://evil.example/","effective-directive":"img-src""#,
        r#""document-uri":"https://localhost:7373/","effective-directive":"img-src""#,
        r#""document-uri":"http://localhost:73731/","effective-directive":"img-src""#,
        r#""document-uri":"about","effective-directive":"img-src""#,
        r#""document-uri":7,"effective-directive":"img-src""#,
    ] {
        assert_eq!(single(fields), [], "{fields}");
    }
    for directive in ["", "<b>", "IMG-SRC", "img src\u{7}", &"a".repeat(41)] {
        let directive = serde_json::to_string(directive).expect("JSON");
        let read = single(&format!("{document},\"effective-directive\":{directive}"));
        assert!(
            read.iter().all(|v| v.directive == "img"),
            "{directive}: {read:?}"
        );
    }
    for text in ["", "x", "[]", "{}", "null", "[[[[", "{\"csp-report\":[]}"] {
        assert_eq!(read(text, Format::Single), [], "{text}");
        assert_eq!(read(text, Format::Batch), [], "{text}");
    }
    assert_eq!(violations(b"\xff\xfe", Format::Single, SITE), []);
}

#[test]
fn w8_texts_are_cut_and_hold_nothing_that_is_not_seen() {
    let long = "a".repeat(5000);
    for (blocked, kept) in [
        (long.as_str(), &long[..LONGEST]),
        ("in\u{0}li\nne\u{1b}[31m", "inline[31m"),
        ("ev\u{202e}al\u{e4}", "eval"),
    ] {
        let blocked = serde_json::to_string(blocked).expect("JSON");
        let read = single(&format!(
            r#""document-uri":"http://localhost:7373/a\u0000b\u202ec",
               "effective-directive":"img-src","blocked-uri":{blocked}"#
        ));
        assert_eq!(shown(&read), [["img-src", kept, "/abc", ""]]);
    }
}

#[test]
fn a_message_brings_so_many_reports_and_no_more() {
    let item = r#"{"type":"csp-violation","body":{"documentURL":"http://localhost:7373/",
                   "effectiveDirective":"img-src"}}"#;
    let text = format!("[{}]", vec![item; 100].join(","));
    assert_eq!(read(&text, Format::Batch).len(), MOST);
}

#[test]
fn two_kinds_of_messages_are_taken() {
    for (kind, format) in [
        ("application/csp-report", Some(Format::Single)),
        (
            "Application/CSP-Report; charset=utf-8",
            Some(Format::Single),
        ),
        ("application/reports+json", Some(Format::Batch)),
        ("application/json", None),
        ("text/plain", None),
        ("", None),
    ] {
        assert_eq!(Format::of(kind), format, "{kind}");
    }
}
