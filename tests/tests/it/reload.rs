//! HUP: the log says of each setting that changed from when on it counts, names the file as the
//! operator does, and says what became of the certificate.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::program::{Home, Program};
use crate::secure::{self, HELLO, Identity};

/// How long a reload may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The lines of the log behind what was there before.
fn since(program: &Program, before: usize) -> String {
    program.log()[before..].to_owned()
}

/// Changes the settings, and waits for these words.
fn reread(program: &Program, settings: &str, words: &str) -> String {
    let before = program.log().len();
    let file = program.scripts().join("stagedoor.toml");
    fs::write(&file, settings).expect("written");
    program.hang_up();
    for _ in 0..SOON.as_millis() / 20 {
        if since(program, before).contains(words) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = since(program, before);
    assert!(said.contains(words), "{words}: {said}");
    said
}

#[test]
fn a_reload_says_what_counts_now_and_what_needs_a_start() {
    let program = Program::with_scripts(&[HELLO]);
    let said = reread(
        &program,
        "public_host = \"a.example\"\n[limits]\nrunning = 3\ntimeout = \"2h\"\n",
        "not in force yet",
    );
    let file = program.scripts().join("stagedoor.toml");
    let now = format!(
        "read the settings again ({}): limits.running counts from now on",
        file.display()
    );
    assert!(said.contains(&now), "{said}");
    let later = "not in force yet: public_host, limits.timeout are not";
    assert!(said.contains(later), "{said}");

    // What waits for a start is told again, what counts already is not.
    let said = reread(
        &program,
        "base_path = \"/x\"\n[limits]\nrunning = 3\n",
        "not in force yet",
    );
    assert!(said.contains("nothing changes now"), "{said}");
    assert!(said.contains("not in force yet: base_path "), "{said}");

    let said = reread(&program, "", "limits.running counts from now on");
    assert!(!said.contains("not in force"), "{said}");
}

#[test]
fn a_bad_file_is_named_as_the_operator_names_it_and_changes_nothing() {
    let program = Program::with_scripts(&[HELLO]);
    let said = reread(&program, "limit = 1\n", "stay as they were");
    let place = format!("{}:1:1", program.scripts().join("stagedoor.toml").display());
    assert!(said.contains(&place), "{place}: {said}");
    assert!(!said.contains("/proc/"), "{said}");
    let said = reread(&program, "[limits]\nqueued = 7\n", "counts from now on");
    assert!(said.contains("limits.queued counts"), "{said}");
}

#[test]
fn w2_a_reload_says_what_became_of_the_certificate() {
    let home = Home::new();
    Identity::new().write(&home);
    let text = format!("listen = \"127.0.0.1:0\"\n{}", secure::settings(&home));
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &text)]);
    let program = Program::serve_with(Arc::clone(&home), &folder, &[], "https://");
    let said = reread(&program, &text, "read the settings again");
    let path = secure::certificate_path(&home);
    let words = format!("read the certificate {} again", path.display());
    assert!(said.contains(&words), "{said}");

    secure::put(&secure::key_path(&home), &Identity::new().key, 0o600);
    let said = reread(&program, &text, "read the settings again");
    assert!(said.contains("the certificate stays as it was"), "{said}");
    assert!(
        said.contains("name the key that the certificate was made for"),
        "{said}"
    );
    assert!(!said.contains(&words), "{said}");

    let moved = text.replace("tls.pem", "other.pem");
    let said = reread(&program, &moved, "not in force yet");
    assert!(
        said.contains("not in force yet: tls.certificate "),
        "{said}"
    );
}
