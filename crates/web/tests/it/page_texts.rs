//! What authors write about their scripts: in whose language, and at what length.

use serde_json::json;

use crate::client::Client;
use crate::pages::{fresh, location, post};
use crate::server::TestServer;

const BACKUP: (&str, &str) = (
    "ops/backup.sh",
    r#"#!/bin/sh
# /// stagedoor
# title = "Back up"
# description = "Saves *all*."
# docs = "notes/backup.md"
# access = { run = ["ops"] }
# lang.de = { title = "Sichern <b>", description = "Sichert *alles*." }
# lang.fr = { title = "Sauvegarder" }
#
# [[param]]
# name = "target"
# title = "Where to"
# description = "A name."
# default = "disk"
# lang.de = { title = "Wohin", description = "Ein Name." }
# ///
echo done
"#,
);
const DOCS: (&str, &str) = (
    "ops/notes/backup.md",
    "# How it works\n\nIt **copies**. <script>alert(1)</script> [x](javascript:y)\n",
);
const PATH: &str = "/scripts/ops/backup";

async fn server() -> (TestServer, Client) {
    let server = TestServer::with(&[BACKUP, DOCS]).await;
    let ada = server.browser("ada", &["ops"]).await;
    (server, ada)
}

#[tokio::test]
async fn more_about_a_script_is_on_its_page_and_a_change_is_seen_at_once() {
    let (server, ada) = server().await;
    let page = ada.get(PATH).await.text();
    let (_, docs) = page.split_once("<details class=\"docs\">").expect("docs");
    let docs = docs.split("</details>").next().expect("an end");
    assert!(
        docs.contains("<summary>More about this script</summary>"),
        "{docs}"
    );
    assert!(docs.contains("<h3>How it works</h3>"), "{docs}");
    assert!(docs.contains("<strong>copies</strong>"), "{docs}");
    assert!(
        !docs.contains("script>") && !docs.contains("javascript:"),
        "{docs}"
    );
    server.write(DOCS.0, "It *moves*.");
    let page = ada.get(PATH).await.text();
    assert!(
        page.contains("It <em>moves</em>.") && !page.contains("How it works"),
        "{page}"
    );
    server.write(DOCS.0, &"long ".repeat(60_000));
    let page = ada.get(PATH).await.text();
    assert!(
        page.contains("only its beginning is shown"),
        "{}",
        page.len()
    );
    assert!((250_000..300_000).contains(&page.len()), "{}", page.len());
}

#[tokio::test]
async fn the_text_beside_a_script_is_not_reached_through_a_link() {
    let (server, ada) = server().await;
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("backup.md"), "from outside").expect("written");
    server.replace_by_link("ops/notes/backup.md", &outside.path().join("backup.md"));
    assert!(!ada.get(PATH).await.text().contains("from outside"));
    server.replace_by_link("ops/notes", outside.path());
    assert!(!ada.get(PATH).await.text().contains("from outside"));
}

#[tokio::test]
async fn readers_get_their_language_and_translations_are_marked() {
    let (_server, ada) = server().await;
    let german = ada.with("accept-language", "de-AT,de;q=0.9,en;q=0.5");
    let catalog = german.get("/").await;
    assert_eq!(catalog.header("vary"), Some("accept-language, cookie"));
    let page = catalog.text();
    assert!(
        page.contains("lang=\"de\">Sichern &#60;b&#62;</a>"),
        "{page}"
    );
    assert!(
        page.contains("<p class=\"summary\" lang=\"de\">Sichert alles.</p>"),
        "{page}"
    );
    assert!(
        page.contains("<html lang=\"en\">"),
        "our own words are English: {page}"
    );
    assert!(
        german.get("/?q=back+up").await.text().contains(PATH),
        "found by its own name too"
    );
    let form = german.get(PATH).await.text();
    for part in [
        "<h1><span lang=\"de\">Sichern &#60;b&#62;</span></h1>",
        "<div class=\"prose\" lang=\"de\"><p>Sichert <em>alles</em>.</p>",
        "<span lang=\"de\">Wohin</span>",
        "<div lang=\"de\"><p>Ein Name.</p></div>",
    ] {
        assert!(form.contains(part), "{part}: {form}");
    }
    let run = location(&post(&german, PATH, &fresh(&german, PATH).await, "target=disk").await);
    let page = german.get(&run).await.text();
    assert!(
        page.contains("<h1 lang=\"de\">Sichern &#60;b&#62;</h1>"),
        "{page}"
    );
    let page = german.get("/runs").await.text();
    assert!(
        page.contains("lang=\"de\">Sichern &#60;b&#62;</a>"),
        "{page}"
    );
}

#[tokio::test]
async fn what_is_not_translated_stays_in_the_author_s_words() {
    let (_server, ada) = server().await;
    let french = ada.with("accept-language", "fr").get(PATH).await.text();
    assert!(
        french.contains("<h1><span lang=\"fr\">Sauvegarder</span></h1>"),
        "{french}"
    );
    assert!(
        french.contains("<div class=\"prose\"><p>Saves <em>all</em>.</p>"),
        "{french}"
    );
    for accept in ["en-GB,en;q=0.9,de;q=0.8", "it", "", "de;q=0"] {
        let page = ada.with("accept-language", accept).get(PATH).await;
        assert_eq!(
            page.header("vary"),
            Some("accept-language, cookie"),
            "{accept}"
        );
        assert!(
            page.text().contains("<h1><span>Back up</span></h1>"),
            "{accept}"
        );
        assert!(!page.text().contains("lang=\"de\""), "{accept}");
    }
}

#[tokio::test]
async fn a_program_gets_all_translations() {
    let (server, _ada) = server().await;
    let program = server.program("ada", &["ops"]).await;
    let lang = json!({
        "de": {"title": "Sichern <b>", "description": "Sichert *alles*."},
        "fr": {"title": "Sauvegarder"},
    });
    let german = program.with("accept-language", "de");
    let script = german.get("/api/v1/scripts/ops/backup").await.json();
    assert_eq!(
        (&script["title"], &script["lang"]),
        (&json!("Back up"), &lang)
    );
    let label = json!({"de": {"title": "Wohin", "description": "Ein Name."}});
    assert_eq!(script["params"][0]["lang"], label);
    let list = program.get("/api/v1/scripts").await.json();
    assert_eq!(list["items"][0]["lang"], lang);
}
