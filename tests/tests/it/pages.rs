//! The main job by pages alone: link, account, form, output, history.

use crate::form::Form;
use crate::person::{Person, led_to};
use crate::program::Program;
use crate::robot::PASSWORD;

#[test]
fn the_printed_link_makes_the_first_account_once() {
    let mut program = Program::with_examples();
    let link = program.setup_link();
    let path = link
        .strip_prefix(&program.url)
        .expect("a link to this server")
        .to_owned();
    let mut first = Person::first(&mut program);
    assert!(first.get("/").expect(200).text().contains("Disk report"));
    let mut second = Person::stranger(&program);
    second.get(&path).expect(410);
}

#[test]
fn without_an_account_nothing_is_shown() {
    let program = Program::with_examples();
    let mut stranger = Person::stranger(&program);
    for path in ["/", "/scripts/disk-report", "/runs", "/account"] {
        let answer = stranger.get(path);
        assert!(!answer.text().contains("Disk report"), "{path}");
        assert!(
            [303, 200, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    stranger.get("/api/v1/scripts").expect(401);
}

#[test]
fn a_script_runs_from_its_form_and_its_page_shows_the_outcome_in_words() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/diagnostics/fails").expect(200).text();
    assert!(page.contains("A script that fails"));
    let run = led_to(&admin.send(&Form::of(&page, "/scripts/diagnostics/fails").fill("code", "7")));
    let page = admin.page_at_end(&run);
    for shown in [
        "failed",
        "7",
        "Connecting to the database",
        "the database does not answer",
    ] {
        assert!(
            page.to_lowercase().contains(&shown.to_lowercase()),
            "{shown} in\n{page}"
        );
    }
    assert!(
        admin.get("/runs").expect(200).text().contains(&run),
        "the history leads to the run"
    );
}

#[test]
fn errors_stand_beside_the_field_and_values_are_kept() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/release").expect(200).text();
    let form = Form::of(&page, "/scripts/release")
        .fill("version", "one <b>")
        .fill("target", "staging");
    let answer = admin.send(&form);
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert!(page.contains("Three numbers with dots between"), "{page}");
    assert!(
        page.contains("one &lt;b&gt;") || page.contains("one &#60;b&#62;"),
        "the value is kept, escaped\n{page}"
    );
    let mended = Form::of(&page, "/scripts/release").fill("version", "1.2.3");
    let unconfirmed = admin.send(&mended).expect(422).text();
    let mended = Form::of(&unconfirmed, "/scripts/release").fill(".confirm", "yes");
    let run = led_to(&admin.send(&mended));
    assert!(
        admin
            .page_at_end(&run)
            .contains("Rehearsed; nothing was changed")
    );
}

#[test]
fn the_same_form_sent_twice_leads_to_one_run() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/account").expect(200).text();
    let form = Form::of(&page, "/scripts/account");
    let first = led_to(&admin.send(&form));
    let second = led_to(&admin.send(&form));
    assert_eq!(first, second);
    admin.page_at_end(&first);
    let again = Form::of(&admin.get("/scripts/account").text(), "/scripts/account");
    assert_ne!(
        led_to(&admin.send(&again)),
        first,
        "a fresh form starts another run"
    );
}

#[test]
fn a_form_from_another_site_or_without_its_token_starts_nothing() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let form = Form::of(&admin.get("/scripts/account").text(), "/scripts/account");
    let url = program.url.clone();
    admin
        .post("/scripts/account", &form.body(), "https://evil.example")
        .expect(403);
    admin
        .post("/scripts/account", &form.body(), "null")
        .expect(403);
    admin.post("/scripts/account", "part=", &url).expect(403);
    let runs = admin.get("/api/v1/runs").expect(200).json();
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(0), "{runs}");
}

#[test]
fn a_run_is_stopped_from_its_page() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/slow-job").expect(200).text();
    let run = led_to(&admin.send(&Form::of(&page, "/scripts/slow-job").fill("steps", "100")));
    let page = admin.get(&run).expect(200).text();
    assert_eq!(led_to(&admin.send(&Form::of(&page, "/stop"))), run);
    assert!(
        admin
            .page_at_end(&run)
            .to_lowercase()
            .contains("somebody stopped it")
    );
}

#[test]
fn signing_out_ends_the_session_and_signing_in_begins_another() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let old = admin.cookie();
    let page = admin.get("/").expect(200).text();
    admin.send(&Form::of(&page, "/logout")).expect(303);
    assert_eq!(
        crate::http::get(&format!("{}/api/v1/me", program.url), &[("Cookie", &old)]).status,
        401
    );
    admin.sign_in("admin", "wrong, wrong, wrong").expect(401);
    led_to(&admin.sign_in("admin", PASSWORD));
    assert!(admin.get("/").expect(200).text().contains("Disk report"));
    assert_ne!(admin.cookie(), old);
}
