//! Headers that a client makes up: the server believes what the proxy wrote, or refuses.

use super::visitor::Lines;
use super::{HERE, House};
use crate::person::led_to;

/// Seven kinds of headers that name another client, and some that name another server.
const FORGED: &[Lines<'static>] = &[
    &[("X-Forwarded-For", "6.6.6.6")],
    &[
        ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
        ("X-Forwarded-For", "7.7.7.7"),
    ],
    &[("Forwarded", "for=6.6.6.6;proto=http;host=evil.example")],
    &[("X-Real-IP", "6.6.6.6")],
    &[("CF-Connecting-IP", "6.6.6.6")],
    &[("True-Client-IP", "6.6.6.6"), ("X-Client-IP", "6.6.6.6")],
    &[("X-Forwarded-Proto", "http")],
    &[("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "http")],
    &[
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "1"),
    ],
    &[("Proxy", "http://127.0.0.1:1")],
];

/// Entries that are no addresses: what is left of them may be refused.
const ODD: &[Lines<'static>] = &[
    &[("X-Forwarded-For", "unknown")],
    &[("X-Forwarded-For", ", ,")],
    &[("X-Forwarded-For", "6.6.6.6:80, \"x\"")],
];

pub fn headers(house: &House) {
    for lines in FORGED {
        let mut ann = house.visitor();
        let answer = ann.sign_in("", "ann", lines);
        assert_eq!(led_to(&answer), "/", "{lines:?}");
        let cookie = answer
            .headers
            .iter()
            .find(|(name, value)| name == "set-cookie" && value.starts_with("__Host-SessionID="));
        let (_, cookie) = cookie.unwrap_or_else(|| panic!("{lines:?}: {:?}", answer.headers));
        assert!(cookie.contains("; Secure"), "{cookie}");
        assert_eq!(house.addresses().pop(), Some(HERE.to_string()), "{lines:?}");
    }
    for lines in ODD {
        let mut ann = house.visitor();
        let login = ann.send("GET", "/login", lines, b"");
        assert!(
            matches!(login.status, 200 | 400),
            "{lines:?}: {}",
            login.status
        );
        if login.status == 200 {
            ann.sign_in("", "ann", lines);
        }
    }
    let addresses = house.addresses();
    assert!(addresses.len() >= FORGED.len());
    assert!(
        addresses.iter().all(|address| *address == HERE.to_string()),
        "{addresses:?}"
    );
    no_script_gets_a_proxy(house);
}

/// Row F9.
fn no_script_gets_a_proxy(house: &House) {
    let mut robot = house.robot();
    let lines = [
        ("content-type", "application/json"),
        ("Proxy", "http://127.0.0.1:1"),
    ];
    let run = robot.send(
        "POST",
        "/api/v1/runs?wait=30",
        &lines,
        b"{\"script\":\"hello\"}",
    );
    let place = run.header("location").expect("a place").to_owned();
    let output = robot
        .get(&format!("{place}/output?stream=stdout"))
        .expect(200)
        .text();
    assert!(output.contains("PATH="), "{output}");
    assert!(!output.to_lowercase().contains("proxy"), "{output}");
}
