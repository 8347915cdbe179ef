//! What sources may not hold. Each rule is a function over one line or file, tested on a bad twin.

use crate::tree::{self, offending};

/// W27, B11, B12: templates escape by themselves, and none may switch that off.
fn unescapes(line: &str) -> bool {
    let tight: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    tight.contains("|safe")
        || tight.contains("escape=\"none\"")
        || tight.contains("|escape(\"none\")")
}

/// Anything but a file that is escaped because of the end of its name.
fn is_no_page(line: &str) -> bool {
    let rest = line.trim().strip_prefix("#[template(");
    let is_page = |rest: &str| rest.starts_with("path = \"") && rest.ends_with(".html\")]");
    rest.is_some_and(|rest| !is_page(rest))
}

/// Nothing sets how templates escape; people read that they do in the documents, and whoever
/// writes one, where they are declared.
#[test]
fn b14_b15_that_templates_escape_stands_in_the_documents_and_beside_them() {
    let sources = tree::files("crates", &[".rs"]);
    let declared = |text: &str| text.matches("#[template(").count();
    let count: usize = sources.iter().map(|(_, text)| declared(text)).sum();
    assert!(count > 15, "{count}");
    let bad: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| offending(path, text, is_no_page))
        .collect();
    assert_eq!(bad, Vec::<String>::new());
    let settings = tree::files(".", &["askama.toml"]);
    assert!(settings.is_empty(), "{settings:?}");
    assert!(tree::read("docs/definitions.md").contains("templates escape always"));
    assert!(
        tree::read("crates/web/src/pages.rs")
            .contains("//! Every `{{ }}` of a template is escaped")
    );
    for bad in [
        "#[template(path = \"x.txt\")]",
        "#[template(source = \"{{ x }}\", ext = \"html\")]",
        "#[template(path = \"x.html\", escape = \"none\")]",
    ] {
        assert!(is_no_page(bad), "{bad}");
    }
}

#[test]
fn no_template_switches_escaping_off() {
    let templates = tree::files("crates/web/templates", &[".html", ".txt", ".xml"]);
    assert!(
        !templates.is_empty(),
        "the templates lie in crates/web/templates"
    );
    let sources = tree::files("crates", &[".rs"]);
    let of_templates = |(path, text): &(String, String)| offending(path, text, unescapes);
    let of_sources = |(path, text): &(String, String)| {
        offending(path, text, |line| {
            line.contains("template(") && unescapes(line)
        })
    };
    let mut bad: Vec<String> = templates.iter().flat_map(of_templates).collect();
    bad.extend(sources.iter().flat_map(of_sources));
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn a_template_that_switches_escaping_off_is_found() {
    for bad in [
        "{{ title | safe }}",
        "{{title|safe}}",
        "#[template(path = \"x\", escape = \"none\")]",
    ] {
        assert!(unescapes(bad), "{bad}");
    }
    assert!(!unescapes("{{ title }} is safe"));
}

/// W27: text becomes part of a page by `textContent` alone, and nothing is evaluated.
fn writes_markup(line: &str) -> bool {
    const SINKS: &[&str] = &[
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "setTimeout(\"",
        "setTimeout('",
        "createContextualFragment",
        "DOMParser",
        "srcdoc",
        "javascript:",
        "setAttribute(\"style\"",
        "setAttribute(\"on",
        "cssText",
    ];
    SINKS.iter().any(|sink| line.contains(sink))
}

#[test]
fn no_page_script_writes_markup_or_evaluates_text() {
    let scripts = tree::files("crates/web/static", &[".js", ".mjs"]);
    assert!(
        !scripts.is_empty(),
        "the page scripts lie in crates/web/static"
    );
    let bad: Vec<String> = scripts
        .iter()
        .flat_map(|(path, text)| offending(path, text, writes_markup))
        .collect();
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn a_page_script_that_writes_markup_is_found() {
    assert!(writes_markup("row.innerHTML = line;"));
    assert!(!writes_markup("row.textContent = line;"));
}

/// W8: no inline script or style, so the policy needs no `unsafe-inline`.
fn is_inline(line: &str) -> bool {
    let lower = line.to_lowercase();
    let handler = [
        " onclick=",
        " onload=",
        " onsubmit=",
        " onchange=",
        " oninput=",
        " onerror=",
    ];
    lower.contains(" style=")
        || lower.contains("<style")
        || handler.iter().any(|name| lower.contains(name))
        || (lower.contains("<script")
            && !lower.contains("src=")
            && !lower.contains("application/json"))
}

#[test]
fn no_template_holds_inline_script_or_style() {
    let templates = tree::files("crates/web/templates", &[".html"]);
    assert!(
        !templates.is_empty(),
        "the templates lie in crates/web/templates"
    );
    let bad: Vec<String> = templates
        .iter()
        .flat_map(|(path, text)| offending(path, text, is_inline))
        .collect();
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn inline_script_and_style_are_found() {
    for bad in [
        "<p style=\"color:red\">",
        "<button onclick=\"x()\">",
        "<script>x()</script>",
    ] {
        assert!(is_inline(bad), "{bad}");
    }
    assert!(!is_inline(
        "<script type=\"module\" src=\"/static/run.js\"></script>"
    ));
}

/// P17: SQL is constant text; values are bound. A `format!` whose text begins like SQL builds it.
fn builds_sql(text: &str) -> bool {
    const VERBS: &[&str] = &[
        "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP ", "ALTER ", "PRAGMA ",
    ];
    text.split("format!(").skip(1).any(|after| {
        let argument = after
            .trim_start()
            .trim_start_matches(['r', '#', '"'])
            .trim_start();
        VERBS
            .iter()
            .any(|verb| argument.to_uppercase().starts_with(verb))
    })
}

#[test]
fn no_sql_is_built_from_parts() {
    let sources = tree::files("crates/store/src", &[".rs"]);
    assert!(!sources.is_empty(), "the store's sources were read");
    let bad: Vec<&String> = sources
        .iter()
        .filter(|(_, text)| builds_sql(text))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "SQL built by format! in {bad:?}");
}

#[test]
fn built_sql_is_found() {
    assert!(builds_sql(
        "let q = format!(\"select * from runs where id = {id}\");"
    ));
    assert!(builds_sql("format!(\n    r#\"DELETE FROM {table}\"#)"));
    assert!(!builds_sql("format!(\"could not select {name}\")"));
}

#[test]
fn unsafe_is_forbidden_everywhere_but_in_the_runner() {
    for folder in [
        "domain", "config", "catalog", "store", "output", "app", "web",
    ] {
        let text = tree::read(&format!("crates/{folder}/src/lib.rs"));
        assert!(
            text.contains("#![forbid(unsafe_code)]"),
            "crates/{folder} does not forbid unsafe code"
        );
    }
}

/// A module is a file beside its folder.
#[test]
fn no_module_hides_in_mod_rs_and_no_file_is_called_utils() {
    const VAGUE: &[&str] = &[
        "mod.rs",
        "utils.rs",
        "util.rs",
        "helpers.rs",
        "common.rs",
        "manager.rs",
        "imp.rs",
    ];
    let bad: Vec<String> = tree::files("crates", &[".rs"])
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.rsplit('/')
                .next()
                .is_some_and(|name| VAGUE.contains(&name))
        })
        .collect();
    assert_eq!(bad, Vec::<String>::new());
}
