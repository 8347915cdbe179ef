//! What must never be reachable or readable: sources, what nobody declared, the server's own files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::json;

use crate::http;
use crate::person::Person;
use crate::program::{Home, Program};
use crate::robot::Robot;

const MARKER: &str = "marker-of-the-source-4711";

fn marked(access: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"{access}\"] }}\n# ///\n# {MARKER}\necho hello\n"
    )
}

/// P12: nothing is published by lying in the folder.
#[test]
fn p12_what_nobody_declared_does_not_exist() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("hello.sh", &marked("everyone")),
        ("_helper.sh", &marked("everyone")),
        (".hidden.sh", &marked("everyone")),
        ("undeclared.sh", "#!/bin/sh\necho no\n"),
        (".git/hook.sh", &marked("everyone")),
        ("index.html", "<p>static</p>"),
        ("style.css", "p { color: red }"),
        ("robots.txt", "User-agent: *"),
        ("static/0/x.css", "p { color: red }"),
    ]);
    symlink(folder.join("hello.sh"), folder.join("link.sh")).expect("a link");
    symlink("/bin/true", folder.join("true.sh")).expect("a link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("fifo.sh"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o755),
        0,
    )
    .expect("a fifo");
    let _socket = UnixListener::bind(folder.join("socket.sh")).expect("a socket");
    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    let items = ann.get("/api/v1/scripts").expect(200).json();
    let names: Vec<&str> = items["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|i| i["name"].as_str())
        .collect();
    assert_eq!(names, ["hello"]);
    for name in [
        "_helper",
        ".hidden",
        "undeclared",
        "link",
        "true",
        "fifo",
        "socket",
        "index.html",
        "style.css",
        "static/0/x.css",
        ".git/hook",
        "sys/exit",
        "os.system",
    ] {
        ann.start(name, &json!({})).expect(404);
        ann.get(&format!("/api/v1/scripts/{name}")).expect(404);
        for ending in ["", ".sh"] {
            ann.get(&format!("/{name}{ending}")).expect(404);
        }
    }
    let described = ann.get("/api/v1/openapi.json").expect(200).text();
    for name in [
        "_helper",
        "undeclared",
        "fifo.sh",
        "socket.sh",
        "index.html",
    ] {
        assert!(!described.contains(name), "{name}");
    }
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
}

/// P11: a refusal is the last word: nothing else answers in the place of who refused.
#[test]
fn p11_a_refused_script_does_not_fall_through_to_a_file_or_another_handler() {
    let disabled =
        marked("everyone").replace("# ///\n# mar", "# disabled = \"moving\"\n# ///\n# mar");
    let mut program = Program::with_scripts(&[
        ("scripts/secret", "the file beside it"),
        ("secret.sh", &marked("nobody-is-in-it")),
        ("off.sh", &disabled),
        ("open.sh", &marked("everyone")),
    ]);
    let mut admin = Person::first(&mut program);
    let ann = Robot::user(&program);
    let mut eve = Person::stranger(&program);
    assert_eq!(eve.sign_in("ann", crate::robot::PASSWORD).status, 303);
    for path in ["/scripts/secret", "/scripts/nothing"] {
        let page = eve.get(path).expect(404).text();
        assert!(
            !page.contains(MARKER) && !page.contains("the file beside it"),
            "{page}"
        );
    }
    ann.get("/api/v1/scripts/secret").expect(404);
    ann.start("secret", &json!({})).expect(404);
    assert!(
        eve.get("/scripts/off")
            .expect(200)
            .text()
            .contains("moving")
    );
    ann.start("off", &json!({})).expect(409);
    // A method that an address does not take is refused by it, and answered by nothing else.
    let cookie = admin.cookie();
    let url = format!("{}/scripts/open", program.url);
    let wrong = http::attempt_as("PUT", &url, &[("Cookie", &cookie)]);
    assert_eq!(wrong.status, 405);
    assert!(!wrong.text().contains(MARKER));
    admin.get("/scripts/secret").expect(200);
    assert_eq!(ann.run("open", &json!({}))["outcome"], "succeeded");
}

fn modes(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("its mode");
        let mode = kind.permissions().mode() & 0o7777;
        if kind.is_dir() {
            if mode & 0o077 != 0 {
                found.push(format!("{mode:o} {}", path.display()));
            }
            modes(&path, found);
        } else if mode & 0o177 != 0 {
            found.push(format!("{mode:o} {}", path.display()));
        }
    }
}

/// W38, W41: nobody else reads what the server keeps.
#[test]
fn w38_files_of_the_state_are_for_its_owner_alone() {
    let program = Program::with_scripts(&[("hello.sh", &marked("everyone"))]);
    let ann = Robot::user(&program);
    ann.run("hello", &json!({}));
    let state = program.state();
    let own = fs::metadata(&state)
        .expect("the state")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(own, 0o700, "{own:o}");
    let mut found = Vec::new();
    modes(&state, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

/// W29: there is no default account and no default key.
#[test]
fn w29_well_known_names_and_keys_open_nothing() {
    let mut program = Program::with_scripts(&[("hello.sh", &marked("everyone"))]);
    Person::first(&mut program);
    let mut stranger = Person::stranger(&program);
    for (name, password) in [
        ("Admin", "Admin"),
        ("admin", "admin"),
        ("admin", "password"),
        ("root", "root"),
    ] {
        stranger.sign_in(name, password).expect(401);
    }
    let key = "Admin".repeat(20);
    let bearer = format!("Bearer {key}");
    let url = format!("{}/api/v1/scripts", program.url);
    for headers in [
        [("Api-Key", key.as_str())],
        [("Authorization", bearer.as_str())],
        [("Authorization", "Basic QWRtaW46QWRtaW4=")],
        [("Authorization", "Bearer sd_AdminAdminAdmin")],
        [("Cookie", "SessionID=1:1")],
    ] {
        http::get(&url, &headers).expect(401);
    }
}

/// B23, W72: the store keeps hashes only.
#[test]
fn b23_neither_session_nor_password_stands_in_the_store() {
    let mut program = Program::with_scripts(&[("hello.sh", &marked("everyone"))]);
    let admin = Person::first(&mut program);
    let cookie = admin.cookie();
    let token = cookie.rsplit(':').next().expect("a session");
    let token = token.split('.').next().expect("before the tag").to_owned();
    assert!(
        token.len() >= 128 && token.bytes().all(|b| b.is_ascii_hexdigit()),
        "{cookie}"
    );
    let mut seen = Vec::new();
    collect(&program.state(), &mut seen);
    let holds = |bytes: &[u8]| {
        seen.iter()
            .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    };
    assert!(!holds(token.as_bytes()), "the session's token");
    assert!(!holds(crate::robot::PASSWORD.as_bytes()), "the password");
    assert!(holds(b"$argon2id$"), "the hash of the password is there");
}

fn collect(folder: &Path, seen: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, seen);
        } else if let Ok(content) = fs::read(path) {
            seen.push(content);
        }
    }
}

/// F9: a client cannot set a variable of the script's environment by a header.
#[test]
fn f9_headers_do_not_become_environment() {
    let env = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nenv\n";
    let mut program = Program::with_scripts(&[("env.sh", env)]);
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/env").expect(200).text();
    let form = crate::form::Form::of(&page, "/scripts/env");
    let cookie = admin.cookie();
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", program.url.as_str()),
        ("Proxy", "http://127.0.0.1:1"),
        ("X-Evil", "1"),
    ];
    let answer = http::post(
        &format!("{}/scripts/env", program.url),
        &headers,
        form.body().as_bytes(),
    );
    let page = admin.page_at_end(&crate::person::led_to(&answer));
    assert!(page.contains("STAGEDOOR_RUN_ID"), "{page}");
    assert!(
        !page.contains("HTTP_") && !page.contains("127.0.0.1:1<"),
        "{page}"
    );
    assert!(!page.to_ascii_lowercase().contains("http_proxy"), "{page}");
}
