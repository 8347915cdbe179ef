//! A program that calls the API with a bearer token.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::program::Program;

/// Good enough for the password rules.
pub const PASSWORD: &str = "four wet otters sing loudly";

pub struct Robot {
    url: String,
    token: String,
}

impl Robot {
    /// Makes an account in `groups`, and a token for it.
    pub fn new(program: &Program, name: &str, groups: &[&str]) -> Self {
        let mut words = vec!["user", "add", name, "--password-stdin"];
        for group in groups {
            words.extend(["--group", group]);
        }
        program.manage(&words, PASSWORD);
        let token = program.manage(&["token", "create", "--user", name], "");
        Self {
            url: program.url.clone(),
            token: format!("Bearer {}", token.trim()),
        }
    }

    /// The same at another server on the same state.
    pub fn at(self, program: &Program) -> Self {
        Self {
            url: program.url.clone(),
            ..self
        }
    }

    /// What it sends in `Authorization`.
    pub fn credential(&self) -> &str {
        &self.token
    }

    /// A user in no group.
    pub fn user(program: &Program) -> Self {
        Self::new(program, "ann", &[])
    }

    /// What proves who it is.
    pub fn token(&self) -> &str {
        self.token.trim_start_matches("Bearer ")
    }

    pub fn get(&self, path: &str) -> Answer {
        http::get(
            &format!("{}{path}", self.url),
            &[("Authorization", &self.token)],
        )
    }

    pub fn get_range(&self, path: &str, range: &str) -> Answer {
        http::get(
            &format!("{}{path}", self.url),
            &[("Authorization", &self.token), ("Range", range)],
        )
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        let headers = [
            ("Authorization", self.token.as_str()),
            ("Content-Type", "application/json"),
        ];
        http::post(&format!("{}{path}", self.url), &headers, body)
    }

    /// With an `Idempotency-Key`.
    pub fn post_with_key(&self, path: &str, body: &str, key: &str) -> Answer {
        let headers = [
            ("Authorization", self.token.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
        ];
        http::post(&format!("{}{path}", self.url), &headers, body.as_bytes())
    }

    /// Starts a run, whatever the answer.
    pub fn start(&self, script: &str, args: &Value) -> Answer {
        self.post("/api/v1/runs", &json!({"script": script, "args": args}))
    }

    /// Starts a run and waits for its end; the run.
    #[track_caller]
    pub fn run(&self, script: &str, args: &Value) -> Value {
        let body = json!({"script": script, "args": args});
        let run = self.post("/api/v1/runs?wait=60", &body).expect(201).json();
        assert_eq!(run["state"], "ended", "{script} {args} did not end: {run}");
        run
    }

    /// One stream of a run, `stdout` or `stderr`, as it was printed.
    pub fn output(&self, run: &Value, stream: &str) -> Vec<u8> {
        self.get(&format!("/api/v1/runs/{}/output?stream={stream}", id(run)))
            .expect(200)
            .body
    }

    /// Waits until this holds for the run.
    pub fn until(&self, run: &Value, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1200 {
            let now = self
                .get(&format!("/api/v1/runs/{}", id(run)))
                .expect(200)
                .json();
            if holds(&now) {
                return now;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "a minute has gone by: {}",
            self.get(&format!("/api/v1/runs/{}", id(run))).text()
        );
    }

    /// Waits until the run has printed this.
    pub fn until_printed(&self, run: &Value, text: &str) {
        for _ in 0..600 {
            let answer = self.get(&format!("/api/v1/runs/{}/output?stream=stdout", id(run)));
            if answer.status == 200 && answer.text().contains(text) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the run did not print {text:?} in 30 s");
    }
}

/// A run's id.
pub fn id(run: &Value) -> &str {
    run["id"].as_str().expect("a run has an id")
}
