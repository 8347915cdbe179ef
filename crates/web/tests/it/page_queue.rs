//! A form that is sent while no more runs may wait.

use stagedoor_domain::queue::Capacity;

use crate::pages::{fresh, location, post, token};
use crate::server::TestServer;

const SLOW: (&str, &str) = (
    "slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n#\n# [[param]]\n# name = \"note\"\n\
     # required = false\n#\n# [[param]]\n# name = \"key\"\n# secret = true\n# required = false\n# ///\n\
     exec sleep 60\n",
);
const PATH: &str = "/scripts/slow";

#[tokio::test]
async fn a_full_queue_says_when_to_try_again_and_keeps_the_form() {
    let capacity = Capacity {
        running: 1,
        starting: 64,
        queued: 1,
        queued_per_user: 1,
    };
    let server = TestServer::with_capacity(&[SLOW], capacity).await;
    let ada = server.browser("ada", &["ops"]).await;
    let runs = [
        post(&ada, PATH, &fresh(&ada, PATH).await, "").await,
        post(&ada, PATH, &fresh(&ada, PATH).await, "").await,
    ];
    assert!(runs.iter().all(|run| run.status == 303));
    let fields = "note=keep+me&key=s3cret";
    let full = post(&ada, PATH, &fresh(&ada, PATH).await, fields).await;
    let page = full.text();
    assert_eq!(
        (full.status, full.header("retry-after")),
        (429, Some("5")),
        "{page}"
    );
    assert!(
        page.contains("value=\"keep me\""),
        "entries are kept: {page}"
    );
    assert!(!page.contains("s3cret"), "secrets are not: {page}");
    assert!(page.contains("role=\"alert\""), "it says why: {page}");
    // The page's own new token starts the run once there is room.
    let stop = format!("{}/stop", location(&runs[1]));
    assert_eq!(
        post(&ada, &stop, &fresh(&ada, "/").await, "").await.status,
        303
    );
    // The place in the queue is given back once the end of the other run is on disk.
    let mut page = page;
    for _ in 0..100 {
        let again = post(&ada, PATH, &token(&page), fields).await;
        if again.status == 303 {
            return;
        }
        assert_eq!(again.status, 429, "{}", again.text());
        page = again.text();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("there was never room");
}
