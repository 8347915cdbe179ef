//! W70 as it is written: each of the seven sources of a stranger's text, in each place where one
//! could be printed. In a real browser nothing of it is markup, and nothing runs.

use serde_json::{Value, json};

use crate::browser::{Browser, JavaScript};
use crate::hostile_texts::{BEGIN, END, MARKUP, inspect, sign_in};
use crate::program::Program;
use crate::robot::Robot;

/// One thing that somebody does; `§` stands for the hostile text.
enum Step {
    /// Opens an address, in which the text is percent-encoded.
    Visit(&'static str),
    /// Sends headers with the text from now on.
    Headers,
    /// Has cookies with the text from now on.
    Cookies,
    /// Sends the form whose address ends like this, with these fields.
    Send(&'static str, &'static [(&'static str, &'static str)]),
    /// Sends a form that the page does not have.
    Post(&'static str, &'static [(&'static str, &'static str)]),
}
use Step::{Cookies, Headers, Post, Send, Visit};

/// Where a text could be printed, and an element with a text that says that this is the place.
const PLACES: [(&str, &str, &str); 5] = [
    ("login error", ".notice.bad", "wrong"),
    ("404 page", "h1", "Nothing here"),
    ("history", "h1", "Runs"),
    ("admin log view", "h1", "Audit log"),
    ("user list", "h1", "Users"),
];
const SOURCES: [&str; 7] = [
    "headers", "args", "inputs", "URLs", "content", "username", "cookie",
];

/// The place, the source, what is done, and whether the place shows the text.
type Row = (&'static str, &'static str, &'static [Step], bool);

#[rustfmt::skip] // a table
const ROWS: [Row; 35] = [
    ("login error", "headers", &[Headers, Visit("/login"), Send("/login", &[("name", "a"), ("password", "x")])], false),
    ("login error", "args", &[Visit("/login?next=/§"), Send("/login", &[("name", "b"), ("password", "x")])], false),
    ("login error", "inputs", &[Visit("/login"), Send("/login", &[("name", "c"), ("password", "§"), ("next", "§")])], false),
    ("login error", "URLs", &[Visit("/login?§=§&§"), Send("/login", &[("name", "d"), ("password", "x")])], false),
    ("login error", "content", &[Visit("/login"), Send("/login", &[("name", "e"), ("password", "§\r\n§")])], false),
    ("login error", "username", &[Visit("/login"), Send("/login", &[("name", "§"), ("password", "x")])], true),
    ("login error", "cookie", &[Cookies, Visit("/login"), Send("/login", &[("name", "f"), ("password", "x")])], false),

    ("404 page", "headers", &[Headers, Visit("/nothing")], false),
    ("404 page", "args", &[Visit("/nothing?q=§&§=1")], false),
    ("404 page", "inputs", &[Visit("/account"), Post("/nothing", &[("§", "§")])], false),
    ("404 page", "URLs", &[Visit("/scripts/§")], false),
    ("404 page", "content", &[Visit("/account"), Post("/runs/§", &[("csrf_token", "§"), ("text", "§\r\n§")])], false),
    ("404 page", "username", &[Visit("/admin/users/§")], false),
    ("404 page", "cookie", &[Cookies, Visit("/nothing")], false),

    ("history", "headers", &[Headers, Visit("/runs")], true),
    ("history", "args", &[Visit("/runs?script=§&from=§&outcome=§&cursor=§")], true),
    ("history", "inputs", &[Visit("/runs"), Send("/runs", &[("script", "§"), ("from", "§")])], true),
    ("history", "URLs", &[Visit("/runs?§=§&cursor=§")], true),
    ("history", "content", &[Visit("/runs")], true),
    ("history", "username", &[Visit("/runs?user=§")], true),
    ("history", "cookie", &[Cookies, Visit("/runs")], true),

    ("admin log view", "headers", &[Headers, Visit("/admin/audit-log")], false),
    ("admin log view", "args", &[Visit("/admin/audit-log?address=§&act=§&from=§")], true),
    ("admin log view", "inputs", &[Visit("/admin/audit-log"), Send("/audit-log", &[("address", "§")])], true),
    ("admin log view", "URLs", &[Visit("/admin/audit-log?§=§&cursor=§")], false),
    ("admin log view", "content", &[Visit("/admin/audit-log?act=run_started")], false),
    ("admin log view", "username", &[Visit("/admin/audit-log?user=§")], true),
    ("admin log view", "cookie", &[Cookies, Visit("/admin/audit-log")], false),

    ("user list", "headers", &[Headers, Visit("/admin/users")], false),
    ("user list", "args", &[Visit("/admin/users?q=§&said=§")], false),
    ("user list", "inputs", &[Visit("/admin/users"), Send("/users", &[("name", "good"), ("groups", "§")])], true),
    ("user list", "URLs", &[Visit("/admin/users?§")], false),
    ("user list", "content", &[Visit("/admin/users"), Send("/users", &[("name", "§\r\n§"), ("groups", "§\r\n§")])], true),
    ("user list", "username", &[Visit("/admin/users"), Send("/users", &[("name", "§")])], true),
    ("user list", "cookie", &[Cookies, Visit("/admin/users")], false),
];

/// In headers and cookies too.
fn hostile() -> String {
    format!("{BEGIN}{MARKUP}{{{{7*7}}}}{END}")
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Sends a form as a browser does that checks nothing; the page that came back is shown then.
fn send(browser: &Browser, form: &str, fields: &[(&str, &str)]) {
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, value)| {
            json!([
                name.replace('§', &hostile()),
                value.replace('§', &hostile())
            ])
        })
        .collect();
    browser.look(&format!(
        "window.isBefore = true;
         const form = {form};
         for (const [name, value] of {fields}) {{
             let field = form.elements.namedItem(name);
             if (!field) {{
                 field = document.createElement('textarea');
                 field.name = name;
                 form.append(field);
             }}
             if (field.type === 'date') field.type = 'text';
             field.value = value;
         }}
         HTMLFormElement.prototype.submit.call(form)",
        fields = Value::from(fields)
    ));
    browser.wait("the page that comes back", |b| {
        b.look("return window.isBefore === undefined && document.readyState === 'complete'") == true
    });
}

fn take(browser: &Browser, program: &Program, step: &Step) {
    match step {
        Visit(address) => {
            let address = address.replace('§', &encoded(&hostile()));
            browser.goto(&format!("{}{address}", program.url));
        }
        Headers => {
            let names = [
                "User-Agent",
                "Referer",
                "X-Forwarded-For",
                "Forwarded",
                "X-Real-IP",
                "Accept-Language",
                "X-Request-Id",
                "X-Original-URL",
            ];
            let headers = names.map(|name| (name.to_owned(), Value::from(hostile())));
            browser.send_headers(&Value::Object(headers.into_iter().collect()));
        }
        Cookies => {
            for name in ["x", "SessionID", "lang"] {
                browser.plant_cookie(&program.url, name, &hostile());
            }
        }
        Send(action, fields) => {
            let form = format!("document.querySelector('form[action$=\"{action}\"]')");
            send(browser, &form, fields);
        }
        Post(action, fields) => {
            let action = Value::from(action.replace('§', &encoded(&hostile())));
            let form = format!(
                "Object.assign(document.createElement('form'), {{method: 'post', action: {action}}});
                 document.body.append(form)"
            );
            send(browser, &form, fields);
        }
    }
}

/// All but what the status of a page is noted for, and a date that is none.
fn complaints(browser: &Browser) -> Vec<String> {
    let expected = [
        "Failed to load resource",
        "does not conform to the required format",
    ];
    let mut all = browser.complaints();
    all.retain(|line| !expected.iter().any(|words| line.contains(words)));
    all
}

fn served() -> Program {
    let script = format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# title = {}\n#\n\
         # [[param]]\n# name = \"one\"\n# ///\nprintf '%s\\n' \"$1\"\n",
        Value::from(hostile())
    );
    let program = Program::with_scripts(&[("hostile.sh", &script)]);
    Robot::new(&program, "root", &["admins"]).run("hostile", &json!({"one": hostile()}));
    program
}

#[test]
fn w70_no_source_becomes_markup_in_any_place() {
    let program = served();
    let browser = Browser::new(JavaScript::On);
    let (mut is_in, mut otherwise) = (false, Vec::new());
    for (place, source, steps, is_shown) in ROWS {
        if place != "login error" && !is_in {
            sign_in(&browser, &program, "root");
            is_in = true;
        }
        for step in steps {
            take(&browser, &program, step);
        }
        let (_, css, words) = PLACES
            .into_iter()
            .find(|(name, ..)| *name == place)
            .expect("a known place");
        let there = browser.text(css).unwrap_or_default();
        assert!(there.contains(words), "{source} in {place}: {there}");
        let seen = inspect(&browser, &[hostile()]);
        if (seen > 0) != is_shown {
            otherwise.push(format!("{source} in {place}: {seen} times"));
        }
        assert_eq!(
            complaints(&browser),
            Vec::<String>::new(),
            "{source} in {place}"
        );
        browser.send_headers(&json!({}));
    }
    assert_eq!(otherwise, Vec::<String>::new());
    browser.goto(&format!("{}/admin/csp-reports", program.url));
    browser.wait_for_text("main", "Nothing was blocked");
}

#[test]
fn w70_each_source_meets_each_place_once() {
    for (place, ..) in PLACES {
        let mut sources: Vec<&str> = ROWS
            .iter()
            .filter(|row| row.0 == place)
            .map(|row| row.1)
            .collect();
        sources.sort_unstable();
        let mut expected = SOURCES;
        expected.sort_unstable();
        assert_eq!(sources, expected, "{place}");
    }
}
