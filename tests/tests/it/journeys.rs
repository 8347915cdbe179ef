//! Journeys through the product in a real browser, with JavaScript and without.

use crate::browser::{Browser, JavaScript};
use crate::program::Program;
use crate::robot::PASSWORD;

/// Names of fields with what is filled in.
type Fields = &'static [(&'static str, &'static str)];

/// Script, what is filled in, and what its output shows.
#[rustfmt::skip] // a table
const JOBS: &[(&str, Fields, &str)] = &[
    ("disk-report", &[("limit", "100")], "Nothing is above 100 %"),
    ("search-log", &[("text", "timed out")], "of 240 lines match"),
    (
        "sales-table",
        &[("by", "product")],
        "product,sales,sum,average",
    ),
    (
        "slow-job",
        &[("steps", "2"), ("pause", "0.2")],
        "All 2 steps are done.",
    ),
    ("colours", &[], "bright magenta"),
    (
        "sign-message",
        &[("message", "hello"), ("key", "hunter2hunter2")],
        "sha256=25bb28ec",
    ),
    ("resolve-host", &[("host", "localhost")], "127.0.0.1"),
    (
        "count-words",
        &[("text", "one two two")],
        "1 lines, 3 words",
    ),
    ("account", &[], "uid="),
    ("time-here", &[], "T"),
    ("time-elsewhere", &[("zone", "Asia/Tokyo")], "T"),
    (
        "release",
        &[("version", "1.2.3")],
        "Rehearsed; nothing was changed.",
    ),
    ("backups/estimate", &[], "in all, 3 files"),
    ("backups/rehearse", &[], "equals the original"),
    (
        "diagnostics/arguments",
        &[("free", "$(id)")],
        "argument 0 2428696429",
    ),
    (
        "diagnostics/fails",
        &[("code", "7")],
        "the database does not answer",
    ),
    (
        "diagnostics/stubborn",
        &[("seconds", "1")],
        "Nobody stopped me",
    ),
    (
        "diagnostics/every-type",
        &[("text", "<b>bold</b>")],
        "text = \"<b>bold</b>\"",
    ),
    ("diagnostics/flood", &[], "0000020000"),
];

pub fn set_up(browser: &Browser, program: &mut Program) {
    browser.goto(&program.setup_link());
    browser.fill("name", "admin");
    browser.fill("password", PASSWORD);
    browser.fill("again", PASSWORD);
    browser.click("form[action=\"/setup\"] button");
    browser.wait_for_text("main", "Disk report");
}

fn sign_out_and_in(browser: &Browser, program: &Program) {
    browser.click("form[action=\"/logout\"] button");
    browser.wait("signed out", |b| b.url().contains("/login"));
    browser.goto(&format!("{}/scripts/account", program.url));
    browser.fill("name", "admin");
    browser.fill("password", PASSWORD);
    browser.click("form[action=\"/login\"] button");
    browser.wait("led to the page that was asked for", |b| {
        b.url().ends_with("/scripts/account")
    });
}

/// Fills in a script's form and sends it; the page of its run is shown then.
pub fn start(browser: &Browser, program: &Program, script: &str, fields: Fields) {
    browser.goto(&format!("{}/scripts/{script}", program.url));
    for (name, value) in fields {
        browser.fill(name, value);
    }
    if browser.shows("[name=\".confirm\"]") {
        browser.click("[name=\".confirm\"]");
    }
    browser.click("form[data-script] button");
    browser.wait("the page of the run", |b| b.url().contains("/runs/"));
}

fn run_every_example(browser: &Browser, program: &Program) {
    for (script, fields, shown) in JOBS {
        start(browser, program, script, fields);
        browser.wait(&format!("{script} has ended"), |b| {
            b.shows("#run[data-state=ended]")
        });
        browser.wait_for_text("#log", shown);
    }
}

fn stop_a_run(browser: &Browser, program: &Program) {
    start(browser, program, "slow-job", &[("steps", "100")]);
    browser.wait_for_text("#log", "Step 1 of 100");
    browser.click("form[action$=\"/stop\"] button");
    browser.wait("stopped", |b| b.shows("#run[data-state=ended]"));
    browser.wait_for_text("#run", "stopped");
}

fn history_leads_to_runs(browser: &Browser, program: &Program) {
    browser.goto(&format!("{}/runs", program.url));
    browser.wait_for_text("main", "A slow job");
    browser.click("main a[href^=\"/runs/0\"]");
    browser.wait_for_text("#log", "Step 1 of 100");
}

#[test]
fn with_javascript_the_main_job_is_done_from_the_printed_link_to_the_history() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    sign_out_and_in(&browser, &program);
    run_every_example(&browser, &program);
    stop_a_run(&browser, &program);
    history_leads_to_runs(&browser, &program);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn without_javascript_all_but_live_output_works() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::Off);
    set_up(&browser, &mut program);
    sign_out_and_in(&browser, &program);
    run_every_example(&browser, &program);
    stop_a_run(&browser, &program);
    history_leads_to_runs(&browser, &program);
}

#[test]
fn output_arrives_live_without_loading_the_page_again() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    start(
        &browser,
        &program,
        "slow-job",
        &[("steps", "4"), ("pause", "0.5")],
    );
    browser.look("window.sameDocument = true");
    browser.wait_for_text("#log", "Step 1 of 4: done");
    assert!(
        !browser.shows("#run[data-state=ended]"),
        "the run goes on while its output is shown"
    );
    browser.wait_for_text("#log", "Step 3 of 4: ");
    assert_eq!(browser.look("return window.sameDocument === true"), true);
    browser.wait("the outcome", |b| b.shows("#run[data-state=ended]"));
    browser.wait_for_text("#run-status", "succeeded");
}

#[test]
fn colours_are_shown_without_inline_style() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    start(&browser, &program, "colours", &[]);
    browser.wait("ended", |b| b.shows("#run[data-state=ended]"));
    browser.wait_for_text("#log", "all at once");
    let colours = browser.look(
        "return new Set([...document.querySelectorAll('#log *')].map(e => getComputedStyle(e).color)).size",
    );
    assert!(
        colours.as_u64().is_some_and(|n| n > 20),
        "{colours} colours"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_catalog_is_searched_while_typing() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    browser.fill("q", "rehearse");
    browser.wait("others are hidden", |b| {
        b.text("main")
            .is_some_and(|t| t.contains("Rehearse a backup") && !t.contains("Disk report"))
    });
}

/// Pictures of the main pages for docs/screenshots; and no page is wider than a phone.
#[test]
fn the_main_pages_fit_a_phone_and_have_their_pictures_taken() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::On);
    let folder = crate::tree::root().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    let shoot = |name: &str| {
        for (label, size) in [("wide", (1280, 900)), ("phone", (390, 844))] {
            for (scheme, dark) in [("light", false), ("dark", true)] {
                browser.pretend(size, dark);
                let over = browser.look("return document.documentElement.scrollWidth - innerWidth");
                assert!(
                    over.as_i64().is_some_and(|pixels| pixels <= 0),
                    "{name} is {over} px wider than {label}"
                );
                std::fs::write(
                    folder.join(format!("{name}-{label}-{scheme}.png")),
                    browser.picture(),
                )
                .expect("a picture");
            }
        }
        browser.pretend((1280, 900), false);
    };
    browser.goto(&program.setup_link());
    shoot("setup");
    set_up(&browser, &mut program);
    shoot("catalog");
    start(&browser, &program, "colours", &[]);
    browser.wait("ended", |b| b.shows("#run[data-state=ended]"));
    browser.wait_for_text("#log", "all at once");
    shoot("run");
    browser.look("const held = document.querySelector('details.held'); held.open = true; held.scrollIntoView()");
    shoot("held");
    start(&browser, &program, "diagnostics/fails", &[]);
    browser.wait("ended", |b| b.shows("#run[data-state=ended]"));
    browser.goto(&format!("{}/scripts/diagnostics/every-type", program.url));
    shoot("form");
    browser.goto(&format!("{}/runs", program.url));
    shoot("history");
    start(&browser, &program, "sales-report", &[]);
    browser.wait("the frame", |b| b.shows("iframe.report"));
    browser.enter_frame("iframe.report");
    browser.wait_for_text("h1", "Sales by region");
    browser.leave_frame();
    shoot("report");
}
