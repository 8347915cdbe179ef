//! Journeys through administration in a real browser without JavaScript, one for each page; and
//! how the pages look.

use crate::browser::{Browser, JavaScript};
use crate::journeys::set_up;
use crate::program::Program;

const WORDS: &str = "plenty of quiet words";

fn at(program: &Program, path: &str) -> String {
    format!("{}{path}", program.url)
}

fn begin(javascript: JavaScript) -> (Program, Browser) {
    let mut program = Program::with_examples();
    let browser = Browser::new(javascript);
    set_up(&browser, &mut program);
    (program, browser)
}

/// From the bar to a page of administration.
fn go(browser: &Browser, page: &str) {
    browser.click("nav a[href=\"/admin\"]");
    browser.wait_for_text("h1", "Administration");
    browser.click(&format!("main a[href=\"/admin/{page}\"]"));
}

#[test]
fn a_user_is_added_and_chooses_a_password_by_the_link() {
    let (program, browser) = begin(JavaScript::Off);
    go(&browser, "users");
    browser.fill("name", "ann");
    browser.fill("groups", "ops, dev");
    browser.click("form[action=\"/admin/users\"] button");
    browser.wait_for_text("main", "A link for ann");
    let link = browser.text(".secret code").expect("a link");
    browser.click("form[action=\"/logout\"] button");
    browser.wait("signed out", |b| b.url().contains("/login"));
    browser.goto(&link);
    browser.wait_for_text("main", "For the account ann");
    browser.fill("password", WORDS);
    browser.fill("again", WORDS);
    browser.click("form[action=\"/password\"] button");
    browser.wait("signed in", |b| b.text(".person").as_deref() == Some("ann"));
    browser.goto(&link);
    browser.wait_for_text("main", "not good any more");
    browser.goto(&at(&program, "/admin/users"));
    browser.wait_for_text("main", "nothing here");
}

#[test]
fn an_account_is_regrouped_disabled_and_deleted_on_its_page() {
    let (program, browser) = begin(JavaScript::Off);
    program.manage(&["user", "add", "ann", "--password-stdin"], WORDS);
    go(&browser, "users");
    browser.click("td a[href=\"/admin/users/ann\"]");
    browser.fill("groups", "ops");
    browser.click("form[action$=\"/groups\"] button");
    browser.wait("saved", |b| {
        b.text(".facts").is_some_and(|t| t.contains("ops"))
    });
    browser.click("form[action$=\"/sessions\"] button");
    browser.wait_for_text("main", "was not signed in");
    browser.click("form[action$=\"/disable\"] button");
    browser.wait_for_text(".head", "disabled");
    browser.click("form[action$=\"/enable\"] button");
    browser.wait_for_text(".head", "may sign in");
    browser.click("#sure");
    browser.click("form[action$=\"/delete\"] button");
    browser.wait("the list", |b| b.url().ends_with("/admin/users"));
    assert!(!browser.shows("td a[href=\"/admin/users/ann\"]"));
    browser.click("td a[href=\"/admin/users/admin\"]");
    browser.click("form[action$=\"/disable\"] button");
    browser.wait_for_text("main", "only administrator");
}

#[test]
fn a_grant_is_given_and_taken_and_the_question_is_answered() {
    let (program, browser) = begin(JavaScript::Off);
    let words = ["user", "add", "ann", "--group", "crew", "--password-stdin"];
    program.manage(&words, WORDS);
    go(&browser, "grants");
    browser.fill("group", "crew");
    browser.fill("scripts", "disk-report");
    browser.click("input[name=may][value=run]");
    browser.click("form[action=\"/admin/grants\"] button");
    browser.wait_for_text("main", "grant 1");
    go(&browser, "may");
    browser.fill("user", "ann");
    browser.fill("action", "run");
    browser.fill("script", "disk-report");
    browser.click("form[action=\"/admin/may\"] button");
    browser.wait_for_text(".answer", "yes");
    go(&browser, "grants");
    browser.click("form[action=\"/admin/grants/1/remove\"] button");
    browser.wait("gone", |b| {
        !b.shows("form[action=\"/admin/grants/1/remove\"]")
    });
    browser.goto(&at(
        &program,
        "/admin/may?user=ann&action=schedule&script=slow-job",
    ));
    browser.wait_for_text(".answer", "no");
}

#[test]
fn a_group_is_renamed_on_its_page() {
    let (program, browser) = begin(JavaScript::Off);
    let words = ["user", "add", "ann", "--group", "crew", "--password-stdin"];
    program.manage(&words, WORDS);
    go(&browser, "groups");
    browser.wait_for_text("table", "crew");
    browser.fill("from", "crew");
    browser.fill("to", "mates");
    browser.click("form[action=\"/admin/groups/rename\"] button");
    browser.wait_for_text("main", "crew is called mates now");
    browser.wait_for_text("table", "mates");
}

#[test]
fn a_rename_that_gives_rights_is_asked_about_first() {
    let script = "#!/bin/sh\n# /// stagedoor\n# title = \"Disk report\"\n# access = { run = [\"crew\"] }\n# ///\necho hello\n";
    let mut program = Program::with_scripts(&[("ops/hello.sh", script)]);
    let browser = Browser::new(JavaScript::Off);
    set_up(&browser, &mut program);
    let words = ["user", "add", "ann", "--group", "dev", "--password-stdin"];
    program.manage(&words, WORDS);
    go(&browser, "groups");
    browser.fill("from", "dev");
    browser.fill("to", "crew");
    browser.click("form.stack[action=\"/admin/groups/rename\"] button");
    browser.wait_for_text("main", "Give the members of dev these rights?");
    shoot(&browser, "admin-groups-rename");
    browser.click("button[name=sure]");
    browser.wait_for_text("main", "dev is called crew now");
}

#[test]
fn a_token_is_made_for_oneself_and_revoked_by_an_administrator() {
    let (program, browser) = begin(JavaScript::Off);
    browser.click("a.person");
    browser.click("a[href=\"/account/tokens\"]");
    browser.fill("name", "nightly");
    browser.fill("scripts", "backups/*");
    browser.click("input[name=may][value=run]");
    browser.click("form[action=\"/account/tokens\"] button");
    browser.wait_for_text("main", "not shown again");
    let token = browser.text(".secret code").expect("a token");
    let header = format!("Bearer {token}");
    let me = at(&program, "/api/v1/me");
    let good = || crate::http::get(&me, &[("Authorization", &header)]).status;
    assert_eq!(good(), 200);
    go(&browser, "tokens");
    browser.wait_for_text("table", "nightly");
    browser.wait_for_text("table", "from 127.0.0.1");
    browser.click("form[action$=\"/revoke\"] button");
    browser.wait_for_text("main", "No tokens");
    assert_eq!(good(), 401);
}

#[test]
fn a_secret_is_set_and_removed_on_its_page() {
    let lists = |secret: &str| {
        format!(
            "#!/bin/sh\n# /// stagedoor\n# title = \"Disk report\"\n# credentials = {{ key = \"{secret}\" }}\n# ///\n"
        )
    };
    let (stored, missing) = (lists("ops/db"), lists("ops/never-set"));
    let scripts = [
        ("ops/backups/nightly-to-another-site.sh", stored.as_str()),
        ("ops/hello.sh", &stored),
        ("ops/other.sh", &missing),
    ];
    let mut program = Program::with_scripts(&scripts);
    let browser = Browser::new(JavaScript::Off);
    set_up(&browser, &mut program);
    go(&browser, "secrets");
    browser.wait_for_text("main", "No secrets yet");
    browser.fill("name", "ops/db");
    browser.fill("secret_value", "violet-tractor-17");
    browser.click("form[action=\"/admin/secrets\"] button");
    browser.wait_for_text(".notice.good", "ops/db is set");
    browser.wait_for_text("table", "ops/db");
    assert_eq!(browser.text("#value").as_deref(), Some(""));
    browser.wait_for_text(
        ".notice.warn",
        "ops/other lists the stored secret ops/never-set",
    );
    browser.click("details.more summary");
    shoot(&browser, "admin-secrets-remove");
    browser.click("#sure-1");
    browser.click("form[action=\"/admin/secrets/remove\"] button");
    browser.wait_for_text("main", "No secrets yet");
}

/// As if the sign-in command had made this account.
fn make_external(program: &Program, name: &str) {
    let db = rusqlite::Connection::open(program.state().join("stagedoor.db")).expect("opens");
    let sql = "UPDATE users SET origin = 'external' WHERE name = ?1";
    assert_eq!(db.execute(sql, [name]).expect("changed"), 1);
}

/// At a desk and on a phone, light and dark; it is no wider than either.
fn shoot(browser: &Browser, name: &str) {
    let folder = crate::tree::root().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    for (label, size) in [("wide", (1280, 900)), ("phone", (390, 844))] {
        for (scheme, dark) in [("light", false), ("dark", true)] {
            browser.pretend(size, dark);
            let over = browser.look("return document.documentElement.scrollWidth - innerWidth");
            let fits = over.as_i64().is_some_and(|pixels| pixels <= 0);
            assert!(fits, "{name} is {over} px wider than {label}");
            let file = folder.join(format!("{name}-{label}-{scheme}.png"));
            std::fs::write(file, browser.picture()).expect("a picture");
        }
    }
    browser.pretend((1280, 900), false);
}

/// Pictures to be looked at; and no page is wider than a phone.
#[test]
fn the_pages_of_administration_fit_a_phone() {
    let (program, browser) = begin(JavaScript::On);
    let words = ["user", "add", "ann", "--group", "ops", "--password-stdin"];
    program.manage(&words, WORDS);
    for words in [
        &[
            "grant",
            "add",
            "--group",
            "ops",
            "--scripts",
            "backups/*,disk-report",
            "--may",
            "view,run",
        ][..],
        &["grant", "add", "--group", "wardens", "--may", "admin"],
        &[
            "token",
            "create",
            "--user",
            "ann",
            "--name",
            "nightly",
            "--from",
            "10.0.0.0/8",
        ],
    ] {
        program.manage(words, "");
    }
    for name in ["ops/backups/off-site-key", "smtp"] {
        program.manage(&["secret", "set", name], "kept");
    }
    // One that the sign-in command has made, and more grants than a list should show.
    program.manage(&["user", "add", "eve", "--password-stdin"], WORDS);
    make_external(&program, "eve");
    for n in 1..=9 {
        let scripts = format!("backups/*,examples/{n}");
        let words = [
            "grant",
            "add",
            "--group",
            "everyone",
            "--may",
            "view",
            "--scripts",
        ];
        program.manage(&[&words[..], &[&scripts]].concat(), "");
    }
    let shoot = |name: &str| shoot(&browser, name);
    for (name, path) in [
        ("admin", "/admin"),
        ("admin-users", "/admin/users"),
        ("admin-user", "/admin/users/ann"),
        ("admin-user-external", "/admin/users/eve"),
        ("admin-groups", "/admin/groups"),
        ("admin-grants", "/admin/grants"),
        ("admin-tokens", "/admin/tokens"),
        ("admin-secrets", "/admin/secrets"),
        (
            "admin-may",
            "/admin/may?user=ann&action=run&script=disk-report",
        ),
        ("admin-audit-log", "/admin/audit-log?act=all"),
        ("admin-blocked", "/admin/blocked"),
        ("admin-csp-reports", "/admin/csp-reports"),
        ("account-tokens", "/account/tokens"),
        ("runs", "/runs"),
    ] {
        browser.goto(&at(&program, path));
        shoot(name);
    }
    browser.goto(&at(&program, "/admin/users/ann"));
    browser.click("form[action$=\"/link\"] button");
    browser.wait_for_text("main", "A link for ann");
    shoot("admin-user-link");
    browser.goto(&browser.text(".secret code").expect("a link"));
    shoot("password-link");
    make_external(&program, "admin");
    browser.goto(&at(&program, "/account"));
    shoot("account-external");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
