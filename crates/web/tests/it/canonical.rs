//! Answers that can be read in one way only (rows F8, F7, W11), over every route, method and client.

use std::collections::BTreeSet;

use serde_json::json;
use stagedoor_web::routes::table;

use crate::client::{Answer, Client};
use crate::server::TestServer;

const SCRIPTS: [(&str, &str); 2] = [
    (
        "ops/hello.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho hello\n",
    ),
    (
        "ops/page.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# output_format = \"html\"\n# ///\n\
         echo '<h1>Hi</h1>'\n",
    ),
];

/// What may stand in `Content-Type`; text says its charset, and JSON has but one.
const TYPES: [&str; 9] = [
    "text/html; charset=utf-8",
    "text/plain; charset=utf-8",
    "text/css; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/event-stream; charset=utf-8",
    "image/svg+xml; charset=utf-8",
    "application/json",
    "application/problem+json",
    "application/octet-stream",
];

/// Not TRACE: the gate before the router answers that by itself.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "NONSENSE", "get",
];

/// What is wrong with an answer.
fn faults(method: &str, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let all = |name: &str| -> Vec<&str> {
        let lines = answer.headers().iter().filter(|(key, _)| key == name);
        lines.map(|(_, value)| value.as_str()).collect()
    };
    let is_token = |name: &str| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !name.is_empty()
    };
    for (name, value) in answer.headers() {
        expect(is_token(name), "a header's name is a plain word");
        let is_plain = value.bytes().all(|b| matches!(b, b' '..=b'~'));
        expect(
            is_plain && !value.is_empty(),
            "a header's value is plain text",
        );
        expect(
            name == "set-cookie" || all(name).len() == 1,
            "a header stands once",
        );
    }
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let never_a_body = matches!(answer.status, 204 | 304);
    let framed = match (lengths.as_slice(), codings.as_slice()) {
        ([length], []) if !never_a_body => {
            method == "HEAD" || length.parse() == Ok(answer.body.len())
        }
        ([], ["chunked"]) => !never_a_body && method != "HEAD",
        ([], []) => never_a_body || method == "HEAD",
        _ => false,
    };
    expect(framed, "one framing, and the right one");
    let has_body = !answer.body.is_empty();
    expect(
        !(has_body && (method == "HEAD" || never_a_body)),
        "no body where none may be",
    );
    let kinds = all("content-type");
    expect(!has_body || kinds.len() == 1, "a body has its type");
    expect(
        kinds.iter().all(|kind| TYPES.contains(kind)),
        "a type of the list",
    );
    let empty = never_a_body || lengths.first() == Some(&"0");
    expect(!empty || kinds.is_empty(), "nothing has no type");
    expect(all("date").len() == 1, "one date");
    expect(answer.status < 500, "no failure");
    expect(
        matches!(answer.status, 405) == (all("allow").len() == 1) || method == "OPTIONS",
        "a refused method says which are taken",
    );
    expect(
        (answer.status == 401) != all("www-authenticate").is_empty(),
        "401 says how",
    );
    expect(all("content-encoding").is_empty(), "no coding");
    for name in [
        "server",
        "via",
        "x-powered-by",
        "access-control-allow-origin",
        "refresh",
        "link",
    ] {
        expect(all(name).is_empty(), name);
    }
    if let [location] = all("location").as_slice() {
        let inside = location.starts_with('/') && !location.starts_with("//");
        expect(inside, "leads to this server");
    }
    faults
}

/// The names of the headers, without those that come and go with time and connection.
fn names(answer: &Answer) -> BTreeSet<&str> {
    let names = answer.headers().iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| !matches!(*name, "set-cookie" | "transfer-encoding" | "connection"))
        .collect()
}

struct Place {
    server: TestServer,
    run: String,
    file: String,
}

impl Place {
    async fn new() -> (Self, Client) {
        let server = TestServer::with(&SCRIPTS).await;
        let program = server.program("pro", &["ops"]).await;
        let body = json!({"script": "ops/page"}).to_string();
        let run = program.post("/api/v1/runs?wait=20", body).await.json();
        assert_eq!(run["outcome"], "succeeded", "{run}");
        let login = server.anonymous().get("/login").await.text();
        let file = login
            .split("href=\"/static/")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let place = Self {
            run: run["id"].as_str().expect("an id").to_owned(),
            file: file.expect("a style sheet").to_owned(),
            server,
        };
        (place, program)
    }

    /// An address of each route, filled in with what there is, and one where there is nothing.
    fn addresses(&self) -> Vec<String> {
        let (version, file) = self.file.split_once('/').expect("two parts");
        let paths: BTreeSet<&str> = table().iter().map(|route| route.path).collect();
        let filled = paths.into_iter().map(|path| {
            path.replace("{*name}", "ops/hello")
                .replace("{id}", &self.run)
                .replace("{version}", version)
                .replace("{file}", file)
        });
        let nothing = [
            "/nowhere",
            "/api/v1/nowhere",
            "/runs/x",
            "/a%2fb",
            "/robots.txt",
        ];
        filled.chain(nothing.map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn f8_every_answer_to_anyone_by_any_method_is_canonical() {
    let (place, program) = Place::new().await;
    let clients = [
        ("nobody", place.server.anonymous()),
        ("a user", place.server.browser("ada", &["ops"]).await),
        ("an admin", place.server.browser("root", &["admins"]).await),
        ("a token", program),
    ];
    let mut found = Vec::new();
    let mut seen = 0;
    for address in place.addresses() {
        for (who, client) in &clients {
            for method in METHODS {
                let answer = client.send(method, &address, &[], b"").await;
                seen += 1;
                let faults = faults(method, &answer);
                if !faults.is_empty() {
                    let status = answer.status;
                    found.push(format!("{method} {address} by {who}: {status} {faults:?}"));
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
    assert!(
        found.is_empty(),
        "{} of {seen}:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[tokio::test]
async fn f8_head_says_what_get_says_and_no_more() {
    let (place, program) = Place::new().await;
    let ada = place.server.browser("ada", &["ops"]).await;
    for address in place.addresses() {
        for client in [&ada, &program] {
            let get = client.get(&address).await;
            let head = client.send("HEAD", &address, &[], b"").await;
            assert_eq!(head.status, get.status, "{address}");
            let (mut said, given) = (names(&head), names(&get));
            // A stream has no length: with HEAD nothing is said of it, or with GET neither.
            if !given.contains("content-length") {
                said.remove("content-length");
            }
            assert_eq!(said, given, "{address}");
            for name in ["content-type", "content-length", "etag", "cache-control"] {
                let length_of_a_page = name == "content-length"
                    && given.contains("content-security-policy")
                    && get
                        .header("content-type")
                        .is_some_and(|kind| kind.starts_with("text/html"));
                // The words of a page that say how long ago something was.
                if !length_of_a_page && get.header(name).is_some() {
                    assert_eq!(head.header(name), get.header(name), "{address}: {name}");
                }
            }
            assert!(head.body.is_empty(), "{address}");
        }
    }
}

#[tokio::test]
async fn f8_head_of_a_stream_is_answered_while_its_run_goes_on() {
    let sleeps =
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\nexec sleep 60\n";
    let server = TestServer::with(&[("sleeps.sh", sleeps)]).await;
    let program = server.program("pro", &["ops"]).await;
    let body = json!({"script": "sleeps"}).to_string();
    let run = program.post("/api/v1/runs", body).await.json();
    let path = format!("/api/v1/runs/{}/events", run["id"].as_str().expect("an id"));
    // The client would wait 20 s for the end of the answer, and then fail.
    let head = program.send("HEAD", &path, &[], b"").await;
    let kind = Some("text/event-stream; charset=utf-8");
    assert_eq!((head.status, head.header("content-type")), (200, kind));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn f8_options_says_which_methods_an_address_takes_and_no_other_site_may_read() {
    let (place, _) = Place::new().await;
    let anon = place
        .server
        .anonymous()
        .with("origin", "https://evil.example");
    let preflight = anon.with("access-control-request-method", "POST");
    let id = &place.run;
    let rows = [
        ("/", "GET, HEAD, OPTIONS"),
        ("/login", "GET, HEAD, POST, OPTIONS"),
        ("/logout", "POST, OPTIONS"),
        ("/scripts/ops/hello", "GET, HEAD, POST, OPTIONS"),
        ("/scripts/no/such/script", "GET, HEAD, POST, OPTIONS"),
        (&format!("/runs/{id}/html"), "GET, HEAD, OPTIONS"),
        (&format!("/api/v1/runs/{id}/stop"), "POST, OPTIONS"),
        ("/api/v1/runs", "GET, HEAD, POST, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("*", "GET, HEAD, POST, OPTIONS"),
    ];
    for (path, allow) in rows {
        let answer = preflight.send("OPTIONS", path, &[], b"").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (204, Some(allow)),
            "{path}"
        );
        assert!(answer.body.is_empty());
        let cors = answer
            .headers()
            .iter()
            .any(|(name, _)| name.starts_with("access-control-"));
        assert!(!cors, "{path}");
    }
    for path in ["/nowhere", "/api/v1/nowhere", "/api/v1/scripts/"] {
        assert_eq!(
            anon.send("OPTIONS", path, &[], b"").await.status,
            404,
            "{path}"
        );
    }
    let mistaken = anon.get("*").await;
    assert_eq!(mistaken.status, 400, "only OPTIONS may ask for all");
}

#[tokio::test]
async fn f8_a_wrong_method_gets_405_whether_somebody_knows_it_or_not() {
    let (place, program) = Place::new().await;
    for method in ["PUT", "DELETE", "PATCH", "PROPFIND", "BREW", "get", "GETT"] {
        for (path, allow) in [
            ("/api/v1/runs", "GET, HEAD, POST, OPTIONS"),
            ("/logout", "POST, OPTIONS"),
            ("/readyz", "GET, HEAD, OPTIONS"),
        ] {
            let answer = program.send(method, path, &[], b"").await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow)),
                "{method} {path}"
            );
            assert!(
                answer
                    .text()
                    .contains("This address does not take that method"),
                "{method} {path}"
            );
        }
        let nowhere = place
            .server
            .anonymous()
            .send(method, "/nowhere", &[], b"")
            .await;
        assert_eq!(nowhere.status, 404, "{method}");
    }
    // No address takes them, so none is looked up.
    for method in ["TRACE", "CONNECT"] {
        let answer = program.send(method, "/api/v1/runs", &[], b"").await;
        let all = Some("GET, HEAD, POST, OPTIONS");
        assert_eq!((answer.status, answer.header("allow")), (405, all));
    }
}

#[tokio::test]
async fn f8_a_range_counts_with_get_alone_and_several_are_answered_with_everything() {
    let (place, program) = Place::new().await;
    let path = format!("/api/v1/runs/{}/output", place.run);
    let rows = [
        ("GET", "bytes=0-3", 206, Some("bytes 0-3/12"), Some("4")),
        ("HEAD", "bytes=0-3", 200, None, Some("12")),
        ("GET", "bytes=0-1,4-5", 200, None, Some("12")),
        ("GET", "bytes=0-1, 0-1, 0-1", 200, None, Some("12")),
        ("GET", "bytes=40-", 416, Some("bytes */12"), None),
        ("GET", "words=0-1", 200, None, Some("12")),
    ];
    for (method, range, status, part, length) in rows {
        let answer = program.send(method, &path, &[("range", range)], b"").await;
        let what = format!("{method} {range}");
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (status, part),
            "{what}"
        );
        if length.is_some() {
            assert_eq!(answer.header("content-length"), length, "{what}");
        }
        assert_eq!(faults(method, &answer), Vec::<String>::new(), "{what}");
    }
}

#[tokio::test]
async fn f7_a_static_file_is_tagged_by_its_content_and_sent_once() {
    let (place, _) = Place::new().await;
    let (other, _) = Place::new().await;
    let path = format!("/static/{}", place.file);
    let first = place.server.anonymous().get(&path).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    let elsewhere = other.server.anonymous().get(&path).await;
    assert_eq!(
        elsewhere.header("etag"),
        Some(tag.as_str()),
        "another machine, the same content"
    );
    for method in ["GET", "HEAD"] {
        let known = [("if-none-match", tag.as_str())];
        let again = place
            .server
            .anonymous()
            .send(method, &path, &known, b"")
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(faults(method, &again), Vec::<String>::new());
        let mut expected = names(&first);
        expected.remove("content-type");
        expected.remove("content-length");
        assert_eq!(
            names(&again),
            expected,
            "all that is said of it but its content"
        );
    }
    let changed = place
        .server
        .anonymous()
        .with("if-none-match", "\"0\"")
        .get(&path)
        .await;
    assert_eq!((changed.status, &changed.body), (200, &first.body));
}

#[tokio::test]
async fn f7_no_answer_says_what_product_or_version_this_is() {
    const WORDS: [&str; 6] = ["stagedoor", "axum", "hyper", "tokio", "sqlite", "askama"];
    let (place, program) = Place::new().await;
    let version = env!("CARGO_PKG_VERSION");
    for client in [&place.server.anonymous(), &program] {
        for address in place.addresses() {
            for method in ["GET", "PUT", "OPTIONS"] {
                let answer = client.send(method, &address, &[], b"").await;
                let mut said = format!("{:?}", answer.headers()).to_lowercase();
                if answer.status >= 400 {
                    said += &answer.text().to_lowercase();
                }
                let found = WORDS.iter().find(|word| said.contains(**word));
                assert_eq!(found, None, "{method} {address}: {said}");
                assert!(!said.contains(version), "{method} {address}: {said}");
            }
        }
    }
    let icon = place.server.anonymous().get("/favicon.ico").await;
    assert_eq!(
        (icon.status, icon.body.len()),
        (204, 0),
        "nothing to take a hash of"
    );
    let page = place.server.anonymous().get("/login").await.text();
    assert!(
        page.contains("Stagedoor"),
        "the search finds it where it may stand"
    );
}
