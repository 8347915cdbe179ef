//! A client's way to whatever server is there just now.

use std::sync::{Arc, RwLock};

use serde_json::Value;

use crate::http::{self, Answer};
use crate::program;
use crate::robot::PASSWORD;

use super::stage::Stage;

/// Where the server listens; none while there is none.
pub type Address = Arc<RwLock<Option<String>>>;

#[derive(Clone)]
pub struct Wire {
    address: Address,
    token: String,
}

impl Wire {
    /// Makes an account in `groups` and a token for it.
    pub fn new(stage: &Stage, address: &Address, user: &str, groups: &[&str]) -> Self {
        let mut words = vec!["user", "add", user, "--password-stdin"];
        for group in groups {
            words.extend(["--group", group]);
        }
        manage(stage, &words, PASSWORD);
        let token = manage(stage, &["token", "create", "--user", user], "");
        Self {
            address: Arc::clone(address),
            token: format!("Bearer {}", token.trim()),
        }
    }

    /// Is there a server, as far as is known?
    pub fn is_up(&self) -> bool {
        self.address.read().expect("the address").is_some()
    }

    /// None when no whole answer came.
    pub fn get(&self, path: &str) -> Option<Answer> {
        http::attempt(
            &self.url(path)?,
            &[("Authorization", self.token.as_str())],
            None,
        )
    }

    /// None when no whole answer came: it is not known whether the request did.
    pub fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Option<Answer> {
        let mut headers = vec![
            ("Authorization", self.token.as_str()),
            ("Content-Type", "application/json"),
        ];
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        http::attempt(
            &self.url(path)?,
            &headers,
            Some(body.to_string().as_bytes()),
        )
    }

    fn url(&self, path: &str) -> Option<String> {
        let address = self.address.read().expect("the address");
        address.as_ref().map(|address| format!("{address}{path}"))
    }
}

fn manage(stage: &Stage, words: &[&str], stdin: &str) -> String {
    let folder = stage.state();
    let mut all = words.to_vec();
    all.extend(["--state", folder.to_str().expect("text")]);
    let output = program::stagedoor(&all, stdin);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "stagedoor {words:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}
