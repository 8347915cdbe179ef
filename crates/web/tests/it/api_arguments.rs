//! What comes in: JSON that is not right, and values that would hurt a shell.

use serde_json::json;

use crate::client::{Answer, Client};
use crate::server::TestServer;

/// Prints its arguments as hex, one a line, so that every byte is seen.
pub const SHOW: (&str, &str) = (
    "show.py",
    "#!/usr/bin/python3\n# /// stagedoor\n# access = { run = [\"ops\"] }\n#\n# [[param]]\n# name = \"text\"\n\
     # required = false\n# allow_leading_dash = true\n#\n# [[param]]\n# name = \"plain\"\n# required = false\n\
     # option = \"--plain=\"\n#\n# [[param]]\n# name = \"big\"\n# type = \"multiline\"\n# pass = \"stdin\"\n\
     # required = false\n#\n# [[param]]\n# name = \"n\"\n# type = \"number\"\n# option = \"--n\"\n#\n\
     # [[param]]\n# name = \"on\"\n# type = \"flag\"\n# option = \"--on\"\n#\n# [[param]]\n# name = \"data\"\n\
     # type = \"json\"\n# option = \"--data\"\n#\n# [[param]]\n# name = \"tag\"\n# option = \"-t\"\n\
     # multiple = \"repeat\"\n# ///\nimport os, sys\nfor a in sys.argv[1:]: print(os.fsencode(a).hex())\n\
     print(\"stdin\", len(sys.stdin.buffer.read()))\n",
);

async fn server() -> (TestServer, Client) {
    let server = TestServer::with(&[SHOW]).await;
    let ada = server.program("ada", &["ops"]).await;
    (server, ada)
}

async fn start(ada: &Client, args: serde_json::Value) -> Answer {
    ada.post(
        "/api/v1/runs?wait=20",
        json!({"script": "show", "args": args}).to_string(),
    )
    .await
}

/// What the script printed, each line decoded from hex.
async fn printed(ada: &Client, args: serde_json::Value) -> Vec<String> {
    let answer = start(ada, args).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let output = ada.get(&format!("/api/v1/runs/{id}/output")).await.text();
    output
        .lines()
        .map(|line| unhex(line).unwrap_or_else(|| line.to_owned()))
        .collect()
}

pub fn unhex(line: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = (0..line.len())
        .step_by(2)
        .map(|at| {
            line.get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect();
    String::from_utf8(bytes?).ok()
}

#[tokio::test]
async fn a_value_that_would_hurt_a_shell_arrives_unchanged() {
    let (_server, ada) = server().await;
    for value in [
        ";id",
        "$(id)",
        "`id`",
        "a b",
        "*",
        "?",
        "~",
        "@/etc/passwd",
        "a'b\"c",
        "\\",
        "%s%n",
        "${HOME}",
        "&& id",
        "| id",
        "> /tmp/x",
        "--help",
        "-rf",
        "ä€😀",
        "--",
        "!!",
        "{a,b}",
        "#x",
        "=x",
    ] {
        assert_eq!(
            printed(&ada, json!({"text": value})).await,
            [value, "stdin 0"],
            "{value:?}"
        );
    }
    assert_eq!(
        printed(&ada, json!({"plain": "$(id)"})).await,
        ["--plain=$(id)", "stdin 0"]
    );
}

#[tokio::test]
async fn a_large_value_arrives_or_is_refused_with_the_mend() {
    let (_server, ada) = server().await;
    let large = "x".repeat(131_000);
    assert_eq!(
        printed(&ada, json!({"text": large})).await,
        [large.as_str(), "stdin 0"]
    );
    let refused = start(&ada, json!({"text": "x".repeat(131_072)})).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let huge = "x".repeat(500_000);
    assert_eq!(printed(&ada, json!({"big": huge})).await, ["stdin 500001"]);
    let beyond = start(&ada, json!({"big": "x".repeat(1 << 20)})).await;
    assert_eq!(beyond.status, 413, "{}", beyond.text());
}

#[tokio::test]
async fn every_json_type_reaches_the_script_as_it_was_written() {
    let (_server, ada) = server().await;
    let body = br#"{"script":"show","args":{"n":1234567890123456789.10,"on":true,"data":{"a":[1.50,"x"]},"tag":["a","b c"]}}"#;
    let answer = ada.post("/api/v1/runs?wait=20", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let output = ada.get(&format!("/api/v1/runs/{id}/output")).await.text();
    let words: Vec<String> = output.lines().filter_map(unhex).collect();
    assert!(words.contains(&"--on".to_owned()), "{words:?}");
    assert!(
        words
            .iter()
            .any(|word| word.starts_with("1234567890123456789.1")),
        "{words:?}"
    );
    assert!(words.windows(2).any(|w| w == ["-t", "b c"]), "{words:?}");
    assert!(words.iter().any(|word| word.contains("1.50")), "{words:?}");
}

#[tokio::test]
async fn an_argument_that_does_not_fit_is_named() {
    let (_server, ada) = server().await;
    let rows = [
        (json!({"text": "a\u{0}b"}), "text"),
        (json!({"text": "a\nb"}), "text"),
        (json!({"text": "a\u{1b}[2J"}), "text"),
        (json!({"text": {"a": 1}}), "text"),
        (json!({"text": [["a"]]}), "text"),
        (json!({"n": "many"}), "n"),
        (json!({"on": "perhaps"}), "on"),
        (json!({"tag": ["-x"]}), "tag"),
        (json!({"data": "{"}), "data"),
        (json!({"txet": "a"}), "txet"),
    ];
    for (args, param) in rows {
        let answer = start(&ada, args.clone()).await;
        assert_eq!(answer.status, 422, "{args}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(
            problem["errors"][0]["param"],
            json!(param),
            "{args}: {problem}"
        );
        assert!(
            problem["errors"][0]["message"]
                .as_str()
                .is_some_and(|m| !m.is_empty()),
            "{problem}"
        );
    }
    assert_eq!(
        start(&ada, json!({"text": "fine", "n": 1, "on": true}))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_that_is_not_right_is_refused_with_its_place() {
    let (_server, ada) = server().await;
    let rows: [(&[u8], &str); 15] = [
        (b"", "line 1"),
        (b"{", "line 1"),
        (b"{\"script\":\"show\",}", "line 1 column"),
        (b"{\n\"script\": show}", "line 2 column"),
        (b"[]", "must be an object"),
        (b"[\"show\", {}]", "must be an object"),
        (b"\"show\"", "must be an object"),
        (b"{}", "script"),
        (b"{\"script\":1}", "line 1 column"),
        (b"{\"script\":\"show\",\"script\":\"show\"}", "duplicate"),
        (b"{\"script\":\"show\",\"arg\":{}}", "unknown field"),
        (b"{\"script\":\"show\",\"args\":[]}", "line 1 column"),
        (
            b"{\"script\":\"show\",\"args\":{\"text\":\"a\",\"text\":\"b\"}}",
            "twice",
        ),
        (b"{\"script\":\"show\"} x", "line 1 column"),
        (
            b"{\"script\":\"show\",\"args\":{\"text\":\"\xff\xfe\"}}",
            "line 1 column",
        ),
    ];
    for (body, says) in rows {
        let answer = ada.post("/api/v1/runs", body).await;
        let shown = String::from_utf8_lossy(body).into_owned();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{shown}"
        );
        assert!(answer.text().contains(says), "{shown}: {}", answer.text());
        assert!(!answer.text().contains("StartJson"), "{}", answer.text());
    }
    let deep = format!(
        "{{\"script\":\"show\",\"args\":{{\"data\":{}1{}}}}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let answer = ada.post("/api/v1/runs", deep).await;
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    let lone = br#"{"script":"show","args":{"text":"\ud800"}}"#;
    assert_eq!(ada.post("/api/v1/runs", lone).await.status, 422);
    assert_eq!(
        ada.post("/api/v1/runs", br#"{"script":"show"}"#)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn only_json_is_taken() {
    let (_server, ada) = server().await;
    let body = br#"{"script":"show"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
    ] {
        let answer = ada
            .send("POST", "/api/v1/runs", &[("content-type", kind)], body)
            .await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(
        ada.send("POST", "/api/v1/runs", &[], body).await.status,
        415
    );
    let kind = [("content-type", "application/json; charset=UTF-8")];
    assert_eq!(
        ada.send("POST", "/api/v1/runs", &kind, body).await.status,
        201
    );
}

#[tokio::test]
async fn a_name_that_is_no_name_is_an_unknown_script() {
    let (_server, ada) = server().await;
    for name in [
        "",
        "../show",
        "/show",
        "show/",
        "show\u{0}",
        "show.py",
        ".",
        "a/../show",
        "SHOW",
    ] {
        let answer = ada
            .post("/api/v1/runs", json!({"script": name}).to_string())
            .await;
        assert_eq!(answer.status, 404, "{name:?}: {}", answer.text());
    }
}
