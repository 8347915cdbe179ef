//! A browser behind nginx, below a base path.

use super::running::Proxy;
use super::shipped::Kind;
use super::{House, SETTINGS};
use crate::browser::{Browser, JavaScript};
use crate::robot::PASSWORD;

fn below_door() -> House {
    let settings = format!("base_path = \"/door\"\n{SETTINGS}");
    House::with(&settings, |server, certificate| {
        Proxy::start(Kind::Nginx, server, certificate, &[])
    })
}

fn sign_in(browser: &Browser, site: &str) {
    browser.goto(&format!("{site}/scripts/live"));
    browser.wait("the log-in page", |b| b.url().contains("/door/login?next="));
    browser.fill("name", "ann");
    browser.fill("password", PASSWORD);
    browser.click("form[action=\"/door/login\"] button");
    browser.wait("led to what was asked for", |b| {
        b.url().ends_with("/door/scripts/live")
    });
}

/// Output comes while the run goes on; it is stopped then.
fn run_and_stop(browser: &Browser) {
    browser.click("form[data-script] button");
    browser.wait_for_text("#log", "one-and-only");
    assert!(!browser.shows("#run[data-state=ended]"));
    browser.click("form[action$=\"/stop\"] button");
    browser.wait("stopped", |b| b.shows("#run[data-state=ended]"));
    browser.fill("q", "only");
    browser.click("form.find button");
    browser.wait_for_text("#found", "1 line with");
}

fn history_and_search(browser: &Browser, site: &str) {
    browser.goto(&format!("{site}/runs?outcome=cancelled"));
    browser.click("main a[href^=\"/door/runs/0\"]");
    browser.wait_for_text("#log", "one-and-only");
    browser.goto(&format!("{site}/?q=hello"));
    browser.wait_for_text("main", "Hello");
    // The page has only what was looked for; without a text the whole catalog is loaded.
    browser.fill("q", " ");
    browser.wait_for_text("main", "Live");
    browser.goto(&format!("{site}/admin/health"));
    browser.click("a.brand");
    browser.wait_for_text("main", "Live");
}

#[test]
fn behind_nginx_a_browser_never_leaves_the_base_path() {
    let house = below_door();
    let site = format!("https://localhost:{}/door", house.proxy.tls);
    let browser = Browser::new(JavaScript::On);
    sign_in(&browser, &site);
    run_and_stop(&browser);
    history_and_search(&browser, &site);
    browser.click("form[action=\"/door/logout\"] button");
    browser.wait("signed out", |b| b.url().ends_with("/door/login"));
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let log = house.proxy.file("access.log");
    let asked: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split('"').nth(1)?.split(' ').nth(1))
        .collect();
    let has = |text: &str| asked.iter().any(|path| path.contains(text));
    for part in ["/events", "/lines?", ".js", ".css", "/stop", "/logout"] {
        assert!(has(part), "no {part} among {asked:?}");
    }
    let outside: Vec<&&str> = asked.iter().filter(|p| !p.starts_with("/door/")).collect();
    assert_eq!(outside, Vec::<&&str>::new());
}

#[test]
fn behind_nginx_what_is_not_below_the_base_path_is_not_there() {
    let house = below_door();
    let mut ann = house.visitor();
    assert_eq!(
        ann.sign_in("/door", "ann", &[]).header("location"),
        Some("/door/")
    );
    ann.get("/door/runs").expect(200);
    ann.get("/runs").expect(404);
    ann.get("/").expect(404);
    let led = ann.get("/door");
    assert_eq!((led.status, led.header("location")), (308, Some("/door/")));
}
