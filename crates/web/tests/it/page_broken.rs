//! A definition that is broken: what to mend is for admins, and nobody else learns of it.

use crate::server::TestServer;

const GOOD: (&str, &str) = (
    "ops/good.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\ntrue\n",
);
const BAD: (&str, &str) = (
    "ops/bad.sh",
    "#!/bin/sh\n# /// stagedoor\n# titel = \"<b>Bad\"\n# access = { run = [\"ops\"] }\n# ///\ntrue\n",
);

#[tokio::test]
async fn admins_see_the_file_the_line_a_caret_and_the_mend() {
    let server = TestServer::with(&[GOOD]).await;
    let root = server.browser("root", &["admins"]).await;
    let health = root.get("/admin/health").await.text();
    assert!(health.contains("Every definition is good"), "{health}");
    server.write(BAD.0, BAD.1);
    let catalog = root.get("/").await.text();
    assert!(catalog.contains("One definition is broken"), "{catalog}");
    assert!(catalog.contains("href=\"/admin/health\""), "{catalog}");
    for path in ["/admin/health", "/scripts/ops/bad"] {
        let page = root.get(path).await;
        let text = page.text();
        assert_eq!(page.status, 200, "{path}");
        for part in [
            "ops/bad.sh:3:3",
            "<code>titel</code> is not a key",
            "3 | # titel = &#34;&#60;b&#62;Bad&#34;\n    |   ^^^^^",
            "<code>title</code>",
        ] {
            assert!(text.contains(part), "{path} lacks {part}: {text}");
        }
    }
    server.write(BAD.0, &BAD.1.replace("titel", "title"));
    let health = root.get("/admin/health").await.text();
    assert!(health.contains("Every definition is good"), "{health}");
    let mended = root.get("/scripts/ops/bad").await.text();
    assert!(mended.contains("&#60;b&#62;Bad"), "{mended}");
}

#[tokio::test]
async fn to_others_a_broken_script_does_not_exist() {
    let server = TestServer::with(&[GOOD]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let before = ada.get("/").await.text();
    server.write(BAD.0, BAD.1);
    let (bad, none) = (
        ada.get("/scripts/ops/bad").await,
        ada.get("/scripts/ops/none").await,
    );
    assert_eq!((bad.status, bad.text()), (404, none.text()));
    let (health, nowhere) = (
        ada.get("/admin/health").await,
        ada.get("/admin/nowhere").await,
    );
    assert_eq!((health.status, health.text()), (404, nowhere.text()));
    let after = ada.get("/").await.text();
    assert!(
        !after.contains("broken") && !after.contains("ops/bad"),
        "{after}"
    );
    assert_eq!(after.len(), before.len(), "nothing of it is on the page");
    assert!(after.contains("/scripts/ops/good"), "the others go on");
    let api = server.program("ada", &["ops"]).await;
    let list = api.get("/api/v1/scripts").await.text();
    assert!(
        list.contains("ops/good") && !list.contains("ops/bad"),
        "{list}"
    );
}
