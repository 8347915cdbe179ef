//! What the scripts of our pages may not do, whatever the policy in the header says.

use std::path::Path;

/// Ways to make markup, code or an inline style out of text (row W27).
const BANNED: [&str; 16] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "createContextualFragment",
    "DOMParser",
    "setHTML",
    "srcdoc",
    "eval(",
    "Function(",
    "await import(",
    "javascript:",
    "cssText",
    "\"style\"",
    "XMLHttpRequest",
    "http://",
];

fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    let files = std::fs::read_dir(folder).expect("the folder of static files");
    let scripts = files.map(|file| file.expect("an entry").path());
    scripts
        .filter(|path| path.extension().is_some_and(|end| end == "js"))
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read_to_string(&path).expect("text"),
            )
        })
        .collect()
}

fn faults(text: &str) -> Vec<&'static str> {
    BANNED
        .into_iter()
        .filter(|word| text.contains(word))
        .collect()
}

#[test]
fn w27_no_script_makes_markup_or_code_out_of_text() {
    let scripts = scripts();
    assert!(scripts.len() >= 6, "{}", scripts.len());
    for (path, text) in scripts {
        assert_eq!(faults(&text), Vec::<&str>::new(), "{path}");
    }
    assert_eq!(
        faults("row.innerHTML = text"),
        ["innerHTML"],
        "the check can fail"
    );
}

#[test]
fn every_script_asks_to_be_checked_for_types() {
    for (path, text) in scripts() {
        assert!(text.starts_with("// @ts-check\n"), "{path}");
    }
}

#[test]
fn a_script_imports_only_its_siblings() {
    let scripts = scripts();
    let is_there = |name: &str| {
        scripts
            .iter()
            .any(|(path, _)| path.ends_with(&format!("/{name}")))
    };
    for (path, text) in &scripts {
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let from = line
                .split('"')
                .nth(1)
                .and_then(|from| from.strip_prefix("./"));
            assert!(from.is_some_and(is_there), "{path}: {line}");
        }
    }
}

/// ASVS 14.3.3: what a page shows is not kept when it is closed.
#[test]
fn v14_no_script_keeps_anything_but_a_place_in_the_output() {
    let keeps = [
        "localStorage",
        "indexedDB",
        "document.cookie",
        "caches.",
        "serviceWorker",
    ];
    for (path, text) in scripts() {
        let found = keeps.iter().find(|word| text.contains(**word));
        assert_eq!(found, None, "{path}");
        let puts: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("sessionStorage.setItem("))
            .collect();
        let is_place = |line: &&str| line.contains("\"end\" : String(Math.floor(log.top))");
        assert!(puts.iter().all(is_place), "{path}: {puts:?}");
        assert!(puts.is_empty() || path.ends_with("/run.js"), "{path}");
    }
}
