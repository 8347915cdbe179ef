//! Somebody with a browser without JavaScript: follows links, fills in forms, keeps cookies.

use std::thread;
use std::time::Duration;

use crate::form::Form;
use crate::http::{self, Answer};
use crate::program::Program;
use crate::robot::PASSWORD;

pub struct Person {
    url: String,
    cookies: Vec<(String, String)>,
}

impl Person {
    /// Somebody who has not been here before.
    pub fn stranger(program: &Program) -> Self {
        Self {
            url: program.url.clone(),
            cookies: Vec::new(),
        }
    }

    /// The first account, by the setup link.
    pub fn first(program: &mut Program) -> Self {
        let link = program.setup_link();
        let mut person = Self::stranger(program);
        let page = person
            .get(
                link.strip_prefix(&program.url)
                    .expect("a link to this server"),
            )
            .expect(200)
            .text();
        let form = Form::of(&page, "/setup");
        let done = person.send(
            &form
                .fill("name", "admin")
                .fill("password", PASSWORD)
                .fill("again", PASSWORD),
        );
        assert_eq!(done.status, 303, "{}", done.text());
        person
    }

    /// Signs in by the form.
    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let page = self.get("/login").expect(200).text();
        self.send(
            &Form::of(&page, "/login")
                .fill("name", name)
                .fill("password", password),
        )
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let cookie = self.cookie();
        let answer = http::get(&format!("{}{path}", self.url), &[("Cookie", &cookie)]);
        self.keep(&answer);
        answer
    }

    /// Sends a form as a browser does.
    pub fn send(&mut self, form: &Form) -> Answer {
        let path = form.action.clone();
        self.post(&path, &form.body(), &self.url.clone())
    }

    /// POST of a form's body, from a page of `origin`.
    pub fn post(&mut self, path: &str, body: &str, origin: &str) -> Answer {
        let cookie = self.cookie();
        let headers = [
            ("Cookie", cookie.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", origin),
        ];
        let answer = http::post(&format!("{}{path}", self.url), &headers, body.as_bytes());
        self.keep(&answer);
        answer
    }

    /// The page of a run once it says that the run has ended.
    pub fn page_at_end(&mut self, path: &str) -> String {
        for _ in 0..600 {
            let page = self.get(path).expect(200).text();
            if page.contains("data-state=\"ended\"") {
                return page;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the run at {path} did not end in 30 s");
    }

    /// What is kept of cookies, as a browser sends it.
    pub fn cookie(&self) -> String {
        self.cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        let lines = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        for (_, line) in lines {
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            self.cookies.retain(|(known, _)| known != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// Where a redirection leads.
#[track_caller]
pub fn led_to(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer
        .header("location")
        .expect("a redirection says where")
        .to_owned()
}
