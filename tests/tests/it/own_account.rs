//! The account's page and the password in a real browser; sessions as those see it who have them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::browser::{Browser, JavaScript};
use crate::journeys::{set_up, start};
use crate::person::{Person, led_to};
use crate::program::{Home, Program, examples};
use crate::robot::PASSWORD;

const NEW: &str = "nine quiet herons paint walls";

fn sign_in(browser: &Browser, program: &Program, password: &str) {
    browser.goto(&format!("{}/login", program.url));
    browser.fill("name", "admin");
    browser.fill("password", password);
    browser.click("form[action=\"/login\"] button");
    browser.wait("the page after the log-in form", |b| {
        !b.url().ends_with("/login")
    });
}

fn account(browser: &Browser, program: &Program) {
    browser.goto(&format!("{}/account", program.url));
    browser.wait_for_text("h1", "Your account");
}

fn change(browser: &Browser, old: &str, new: &str, again: &str) {
    browser.fill("password", old);
    browser.fill("new_password", new);
    browser.fill("again", again);
    browser.click("form[action=\"/account/password\"] .go");
}

/// With JavaScript and without.
fn change_it_here(javascript: JavaScript) {
    let mut program = Program::with_examples();
    let (here, there) = (Browser::new(javascript), Browser::new(javascript));
    set_up(&here, &mut program);
    sign_in(&there, &program, PASSWORD);
    account(&here, &program);
    for (old, new, again, said) in [
        ("not the password", NEW, NEW, "That is not your password."),
        (PASSWORD, NEW, "another one", "not the same"),
        (PASSWORD, "password12345", "password12345", "easy to guess"),
        (PASSWORD, PASSWORD, PASSWORD, "have already"),
    ] {
        change(&here, old, new, again);
        here.wait_for_text("form[action=\"/account/password\"]", said);
    }
    account(&there, &program);
    change(&here, PASSWORD, NEW, NEW);
    here.wait_for_text("main", "Your password is changed");
    account(&here, &program);
    there.goto(&format!("{}/account", program.url));
    there.wait("signed out there", |b| b.url().contains("/login"));
    sign_in(&there, &program, NEW);
    account(&there, &program);
    let complaints = here.complaints();
    // That the form was refused is no fault of the page.
    let faults = complaints
        .iter()
        .filter(|c| !c.contains("Failed to load resource"));
    assert_eq!(faults.count(), 0, "{complaints:?}");
}

#[test]
fn a_password_is_changed_and_the_other_browser_signs_in_again() {
    change_it_here(JavaScript::On);
}

#[test]
fn a_password_is_changed_without_javascript() {
    change_it_here(JavaScript::Off);
}

#[test]
fn another_browser_s_session_is_seen_and_ended() {
    let mut program = Program::with_examples();
    let (here, there) = (Browser::new(JavaScript::On), Browser::new(JavaScript::On));
    set_up(&here, &mut program);
    sign_in(&there, &program, PASSWORD);
    account(&here, &program);
    here.wait_for_text("main", "this browser");
    here.wait_for_text("main", "Chrome on Linux");
    here.wait_for_text("main", "127.0.0.1");
    here.click("form[action=\"/account/sessions/end\"] button");
    here.wait_for_text("main", "That session is ended.");
    assert!(!here.shows("form[action=\"/account/sessions/end\"]"));
    there.goto(&format!("{}/account", program.url));
    there.wait("signed out there", |b| b.url().contains("/login"));
    sign_in(&there, &program, PASSWORD);
    account(&there, &program);
    there.click("form[action=\"/account/sessions/end-all\"] button");
    there.wait("signed out there", |b| b.url().contains("/login"));
    here.goto(&format!("{}/account", program.url));
    here.wait("signed out here too", |b| b.url().contains("/login"));
}

#[test]
fn an_administrator_s_words_sign_one_user_out_or_everybody() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    program.manage(&["user", "add", "ann", "--password-stdin"], PASSWORD);
    let (mut ann, mut again) = (Person::stranger(&program), Person::stranger(&program));
    for person in [&mut ann, &mut again] {
        led_to(&person.sign_in("ann", PASSWORD));
    }
    let said = program.manage(&["user", "sign-out", "ann"], "");
    assert!(said.contains("in 2 places"), "{said}");
    for person in [&mut ann, &mut again] {
        person.get("/api/v1/me").expect(401);
    }
    admin.get("/api/v1/me").expect(200);
    led_to(&ann.sign_in("ann", PASSWORD));
    ann.get("/api/v1/me").expect(200);
    program.manage(&["keys", "rotate", "--end-sessions"], "");
    program.until_logged("another key signs cookies", Duration::from_secs(30));
    for person in [&mut ann, &mut admin] {
        person.get("/api/v1/me").expect(401);
    }
}

fn serve(home: &Arc<Home>, folder: &Path, listen: &str) -> Program {
    Program::serve_with(Arc::clone(home), folder, &["--listen", listen], "http://")
}

/// A folder with settings of its own.
fn folder(home: &Home, settings: &str) -> std::path::PathBuf {
    let script = "#!/bin/sh\n# /// stagedoor\n# title = \"Disk report\"\n# access = { run = [\"everyone\"] }\n#\n\
                  # [[param]]\n# name = \"note\"\n# required = false\n# ///\necho \"said: $1\"\n";
    let folder = home.scripts(&[("say.sh", script)]);
    std::fs::write(folder.join("stagedoor.toml"), settings).expect("settings");
    folder
}

#[test]
fn w75_the_password_is_asked_for_again_and_then_it_goes_on() {
    for javascript in [JavaScript::On, JavaScript::Off] {
        let home = Home::new();
        let folder = folder(&home, "[session]\nconfirmed_for = \"1s\"\n");
        let mut program = serve(&home, &folder, "127.0.0.1:0");
        let browser = Browser::new(javascript);
        set_up(&browser, &mut program);
        account(&browser, &program);
        std::thread::sleep(Duration::from_millis(1200));
        browser.click("form[action=\"/account/sessions/end-all\"] button");
        browser.wait_for_text("h1", "Your password, please");
        if javascript == JavaScript::On {
            take_pictures(&browser, "confirm", (1000, 900));
        }
        browser.fill(".password", "not the password");
        browser.click("main .go");
        browser.wait_for_text("main", "That is not your password.");
        browser.fill(".password", PASSWORD);
        browser.click("main .go");
        browser.wait("signed out everywhere", |b| b.url().contains("/login"));
        assert_eq!(
            browser
                .complaints()
                .iter()
                .filter(|c| !c.contains("40"))
                .count(),
            0
        );
    }
}

#[test]
fn w81_several_tabs_the_back_button_and_a_restart_lose_nothing_that_was_typed() {
    let home = Home::new();
    let folder = folder(&home, "");
    let mut program = serve(&home, &folder, "127.0.0.1:0");
    let listen = program.url.trim_start_matches("http://").to_owned();
    let browser = Browser::new(JavaScript::On);
    set_up(&browser, &mut program);
    let form = format!("{}/scripts/say", program.url);
    let send = |note: &str| {
        browser.fill("note", note);
        browser.click("form[data-script] .go");
        browser.wait_for_text("#log", &format!("said: {note}"));
    };
    // Three tabs with a form each, sent in another order.
    browser.goto(&form);
    browser.open_tab(&form);
    browser.open_tab(&form);
    send("third");
    browser.to_tab(0);
    send("first");
    browser.to_tab(1);
    send("second");
    // Back, and sent again: whether the browser kept the page with its used token, which leads to
    // the run that it has started, or loaded it anew.
    browser.back();
    browser.wait("the form", |b| b.url() == form);
    send("second");
    // Somebody types while the server is started again: its tokens are gone.
    browser.goto(&form);
    browser.fill("note", "typed before");
    drop(program);
    let program = serve(&home, &folder, &listen);
    browser.click("form[data-script] .go");
    browser.wait_for_text("main", "open for too long");
    assert_eq!(
        browser.look("return document.querySelector('[name=note]').value"),
        "typed before"
    );
    browser.click("form[data-script] .go");
    browser.wait_for_text("#log", "said: typed before");
    start(&browser, &program, "say", &[("note", "after")]);
    browser.wait_for_text("#log", "said: after");
}

/// Pictures of the pages, to be looked at; and none of them is wider than a phone.
#[test]
fn the_account_and_the_password_fit_a_phone_and_have_their_pictures_taken() {
    let mut program = Program::serve(Home::new(), &examples());
    let (browser, other) = (Browser::new(JavaScript::On), Browser::new(JavaScript::On));
    set_up(&browser, &mut program);
    sign_in(&other, &program, PASSWORD);
    program.manage(
        &[
            "token",
            "create",
            "--user",
            "admin",
            "--name",
            "nightly build",
        ],
        "",
    );
    account(&browser, &program);
    change(&browser, PASSWORD, "password12345", "password12345");
    browser.wait_for_text("main", "easy to guess");
    take_pictures(&browser, "account", (1500, 1700));
}

/// At a desk and on a phone, so high, light and dark; none of them is wider than its screen.
fn take_pictures(browser: &Browser, page: &str, (desk, phone): (u32, u32)) {
    let pictures = crate::tree::root().join("target/screenshots");
    std::fs::create_dir_all(&pictures).expect("a folder for the pictures");
    for (name, width, height) in [("desk", 1280, desk), ("phone", 390, phone)] {
        for dark in [false, true] {
            browser.pretend((width, height), dark);
            let wide = browser.look("return document.documentElement.scrollWidth");
            assert!(
                wide.as_u64() <= Some(u64::from(width)),
                "{page}, {name}: {wide}"
            );
            let shade = if dark { "dark" } else { "light" };
            let path = pictures.join(format!("{page}-{name}-{shade}.png"));
            std::fs::write(path, browser.picture()).expect("a picture");
        }
    }
}
