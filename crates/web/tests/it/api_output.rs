//! Reading what a script printed.

use serde_json::json;

use crate::client::Client;
use crate::server::TestServer;

const PRINTS: (&str, &str) = (
    "prints.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\nprintf 'one\\n\\033[31mtwo\\033[0m\\n<b>three</b>\\n'\n\
     echo oops >&2\n",
);
const LARGE: (&str, &str) = (
    "large.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\nseq 1 200000\n",
);

async fn ran(script: (&str, &str)) -> (TestServer, Client, String) {
    let server = TestServer::with(&[script]).await;
    let ada = server.program("ada", &["ops"]).await;
    let name = script.0.trim_end_matches(".sh");
    let answer = ada
        .post("/api/v1/runs?wait=20", json!({"script": name}).to_string())
        .await;
    assert_eq!(
        answer.json()["outcome"],
        json!("succeeded"),
        "{}",
        answer.text()
    );
    let path = answer.header("location").expect("Location").to_owned();
    (server, ada, path)
}

#[tokio::test]
async fn each_stream_is_given_byte_for_byte_and_as_a_file_only() {
    let (_server, ada, path) = ran(PRINTS).await;
    let out = ada.get(&format!("{path}/output")).await;
    assert_eq!(out.body, b"one\n\x1b[31mtwo\x1b[0m\n<b>three</b>\n");
    assert_eq!(out.header("content-type"), Some("application/octet-stream"));
    assert!(
        out.header("content-disposition")
            .is_some_and(|d| d.starts_with("attachment; filename=\"prints-"))
    );
    assert_eq!(out.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(out.header("content-length"), Some("30"));
    let err = ada.get(&format!("{path}/output?stream=stderr")).await;
    assert_eq!(err.text(), "oops\n");
    for query in ["stream=both", "stream=", "strm=stdout"] {
        let answer = ada.get(&format!("{path}/output?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_range_is_answered_with_its_bytes() {
    let (_server, ada, path) = ran(PRINTS).await;
    let path = format!("{path}/output");
    let part = async |range: &str| ada.with("range", range).get(&path).await;
    let middle = part("bytes=4-6").await;
    assert_eq!(
        (middle.status, middle.body.as_slice()),
        (206, &b"\x1b[3"[..])
    );
    assert_eq!(middle.header("content-range"), Some("bytes 4-6/30"));
    assert_eq!(part("bytes=-3").await.body, b"b>\n");
    assert_eq!(part("bytes=27-").await.body, b"b>\n");
    let beyond = part("bytes=30-").await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some("bytes */30"))
    );
    assert_eq!(part("bytes=9-1").await.status, 200);
    assert_eq!(part("bytes=0-1,3-4").await.status, 200);
    let tag = part("bytes=0-")
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    let same = ada
        .with("range", "bytes=0-0")
        .with("if-range", &tag)
        .get(&path)
        .await;
    let other = ada
        .with("range", "bytes=0-0")
        .with("if-range", "\"x\"")
        .get(&path)
        .await;
    assert_eq!((same.status, other.status), (206, 200));
}

#[tokio::test]
async fn a_large_output_is_streamed_whole() {
    let (_server, ada, path) = ran(LARGE).await;
    let expected = (1..=200_000)
        .map(|n: u32| n.to_string())
        .collect::<Vec<_>>()
        .join("\n")
        + "\n";
    let all = ada.get(&format!("{path}/output")).await;
    assert!(
        all.body == expected.as_bytes(),
        "{} bytes of {}",
        all.body.len(),
        expected.len()
    );
    let rest = ada
        .with("range", "bytes=1000000-")
        .get(&format!("{path}/output"))
        .await;
    assert!(rest.body == expected.as_bytes()[1_000_000..]);
}

#[tokio::test]
async fn lines_come_in_order_with_their_colours() {
    let (_server, ada, path) = ran(PRINTS).await;
    let all = ada.get(&format!("{path}/lines")).await.json();
    assert_eq!(
        (&all["from"], &all["total"], &all["next"], &all["partial"]),
        (&json!(0), &json!(4), &json!(null), &json!(0))
    );
    let lines = all["lines"].as_array().expect("lines");
    assert!(
        lines.contains(&json!("one")) && lines.contains(&json!("<b>three</b>")),
        "{lines:?}"
    );
    assert!(
        lines.contains(&json!(["two", 3, (1 << 24) + 1, 0, 0])),
        "{lines:?}"
    );
    assert!(lines.contains(&json!(["oops", 4, 0, 0, 256])), "{lines:?}");
    let one = ada
        .get(&format!("{path}/lines?stream=stdout&from=1&n=1"))
        .await
        .json();
    assert_eq!(
        (
            &one["from"],
            one["lines"].as_array().map(Vec::len),
            &one["next"]
        ),
        (&json!(1), Some(1), &json!(2))
    );
    for query in ["n=0", "n=501", "from=-1", "stream=all", "m=1"] {
        assert_eq!(
            ada.get(&format!("{path}/lines?{query}")).await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(
        ada.get(&format!("{path}/lines?from=9223372036854775807"))
            .await
            .json()["lines"],
        json!([])
    );
}

#[tokio::test]
async fn a_text_is_found_with_its_line() {
    let (_server, ada, path) = ran(LARGE).await;
    let found = ada.get(&format!("{path}/search?q=199999")).await.json();
    assert_eq!(found["items"], json!([{"line": 199_998, "text": "199999"}]));
    assert_eq!(
        ada.get(&format!("{path}/search?q=nothing")).await.json(),
        json!({"items": [], "next": null})
    );
    for query in ["", "q=", "q=a&x=1", &format!("q={}", "a".repeat(1025))] {
        assert_eq!(
            ada.get(&format!("{path}/search?{query}")).await.status,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let (_server, ada, _path) = ran(PRINTS).await;
    for id in [
        "x",
        "..",
        "%00",
        "00000000-0000-7000-8000-000000000000",
        "0193%2f",
        "-",
    ] {
        for end in ["", "/output", "/lines", "/search?q=a", "/events"] {
            assert_eq!(
                ada.get(&format!("/api/v1/runs/{id}{end}")).await.status,
                404,
                "{id}{end}"
            );
        }
    }
}
