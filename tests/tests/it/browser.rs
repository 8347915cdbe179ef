//! Debian's Chromium, driven as a person uses it: by what is on the page.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a page may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(50);

/// A browser with a window and a profile of its own.
pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    driver: Child,
    driver_url: String,
    _profile: TempDir,
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JavaScript {
    On,
    Off,
}

fn start_driver() -> (Child, String) {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the browser's driver"
    )]
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is there: tools/setup-tests installs it");
    let lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
    let said = lines
        .map_while(Result::ok)
        .find(|line| line.contains("successfully on port"));
    let said = said.expect("chromedriver says its port");
    let port: String = said
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .trim_matches('.')
        .to_owned();
    (driver, format!("http://127.0.0.1:{port}"))
}

/// The flags keep it from talking to anybody but the page.
fn capabilities(profile: &TempDir, javascript: JavaScript, more: &[&str]) -> Value {
    let allowed = if javascript == JavaScript::On { 1 } else { 2 };
    let mut wanted = json!({
        // Tests make their certificates themselves.
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--force-device-scale-factor=1", "--window-size=1280,900",
                format!("--user-data-dir={}", profile.path().display()),
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": allowed},
        },
    });
    let flags = wanted["goog:chromeOptions"]["args"].as_array_mut();
    flags
        .expect("a list")
        .extend(more.iter().map(|flag| json!(flag)));
    wanted
}

impl Browser {
    pub fn new(javascript: JavaScript) -> Self {
        Self::with(javascript, &[])
    }

    /// One that is started with more flags.
    pub fn with(javascript: JavaScript, flags: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let (driver, driver_url) = start_driver();
        let wanted = capabilities(&profile, javascript, flags);
        let Value::Object(wanted) = wanted else {
            unreachable!("an object")
        };
        let client = runtime.block_on(async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(wanted)
                .connect(&driver_url)
                .await
        });
        let client = Some(client.expect("chromium starts"));
        Self {
            runtime,
            client,
            driver,
            driver_url,
            _profile: profile,
        }
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("open until it is dropped")
    }

    pub fn goto(&self, url: &str) {
        self.runtime
            .block_on(self.client().goto(url))
            .expect("the page loads");
    }

    /// The browser's button.
    pub fn back(&self) {
        self.runtime
            .block_on(self.client().back())
            .expect("the page before");
    }

    /// What a reader sees in a frame of the page.
    pub fn text_in_frame(&self, number: u16) -> String {
        self.runtime
            .block_on(async {
                self.client().enter_frame(number).await?;
                let body = self.client().find(Locator::Css("body")).await?;
                let text = body.text().await?;
                self.client().enter_parent_frame().await?;
                Ok::<_, fantoccini::error::CmdError>(text)
            })
            .expect("a frame")
    }

    /// The names of the cookies that it would send to this page.
    pub fn cookie_names(&self) -> Vec<String> {
        let cookies = self.runtime.block_on(self.client().get_all_cookies());
        let cookies = cookies.expect("its cookies");
        cookies.iter().map(|c| c.name().to_owned()).collect()
    }

    pub fn url(&self) -> String {
        self.runtime
            .block_on(self.client().current_url())
            .expect("an address")
            .to_string()
    }

    /// What a reader sees of the first element that fits; none if there is none.
    pub fn text(&self, css: &str) -> Option<String> {
        self.runtime.block_on(async {
            let element = self.client().find(Locator::Css(css)).await.ok()?;
            element.text().await.ok()
        })
    }

    /// Whether a reader sees such an element.
    pub fn shows(&self, css: &str) -> bool {
        self.runtime.block_on(async {
            match self.client().find(Locator::Css(css)).await {
                Ok(element) => element.is_displayed().await.unwrap_or(false),
                Err(_) => false,
            }
        })
    }

    /// Waits until something holds, which the message names if it never does.
    #[track_caller]
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
            if holds(self) {
                return;
            }
            std::thread::sleep(STEP);
        }
        panic!(
            "{what}: not within {PATIENCE:?} at {}:\n{:?}",
            self.url(),
            self.text("body")
        );
    }

    /// Waits for a text anywhere in the element.
    #[track_caller]
    pub fn wait_for_text(&self, css: &str, text: &str) {
        self.wait(&format!("{text:?} in {css}"), |b| {
            b.text(css).is_some_and(|shown| shown.contains(text))
        });
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        let clicked = self
            .runtime
            .block_on(async { self.client().find(Locator::Css(css)).await?.click().await });
        clicked.unwrap_or_else(|error| panic!("click {css} at {}: {error}", self.url()));
    }

    /// Types into a field, after emptying it; chooses in a list.
    #[track_caller]
    pub fn fill(&self, name: &str, value: &str) {
        let css = format!("[name=\"{name}\"]");
        let filled = self.runtime.block_on(async {
            let element = self.client().find(Locator::Css(&css)).await?;
            if element.tag_name().await? == "select" {
                return element.select_by_value(value).await;
            }
            element.clear().await?;
            element.send_keys(value).await
        });
        filled.unwrap_or_else(|error| panic!("fill {css} at {}: {error}", self.url()));
    }

    /// What is looked at from now on stands in this frame.
    #[track_caller]
    pub fn enter_frame(&self, css: &str) {
        let entered = self.runtime.block_on(async {
            let frame = self.client().find(Locator::Css(css)).await?;
            frame.enter_frame().await
        });
        entered.unwrap_or_else(|error| panic!("enter {css} at {}: {error}", self.url()));
    }

    /// Back to the page that has the frame.
    pub fn leave_frame(&self) {
        self.runtime
            .block_on(self.client().enter_parent_frame())
            .expect("the page");
    }

    /// Opens another tab, and looks at this page in it.
    pub fn open_tab(&self, url: &str) {
        self.runtime
            .block_on(async {
                let tab = self.client().new_window(true).await?;
                self.client().switch_to_window(tab.handle).await?;
                self.client().goto(url).await
            })
            .expect("a tab");
    }

    /// Looks at the tab that was opened as this one, from 0.
    pub fn to_tab(&self, number: usize) {
        self.runtime
            .block_on(async {
                let tabs = self.client().windows().await?;
                self.client().switch_to_window(tabs[number].clone()).await
            })
            .expect("that tab");
    }

    /// How many windows and tabs are open.
    pub fn windows(&self) -> usize {
        self.runtime
            .block_on(self.client().windows())
            .expect("the windows")
            .len()
    }

    /// Runs our own script in the page, to look at it; its answer.
    pub fn look(&self, script: &str) -> Value {
        self.runtime
            .block_on(self.client().execute(script, Vec::new()))
            .expect("the script of the test")
    }

    /// The picture of the window, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        self.runtime
            .block_on(self.client().screenshot())
            .expect("a picture")
    }

    /// A screen of this width, in the light or dark colours.
    pub fn pretend(&self, (width, height): (u32, u32), dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        let scheme =
            json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        for (command, params) in [
            ("Emulation.setDeviceMetricsOverride", size),
            ("Emulation.setEmulatedMedia", json!({"features": [scheme]})),
        ] {
            self.command(command, &params);
        }
    }

    /// Each request has these headers too from now on.
    pub fn send_headers(&self, headers: &Value) {
        self.command("Network.enable", &json!({}));
        self.command("Network.setExtraHTTPHeaders", &json!({"headers": headers}));
    }

    /// Plants a cookie for this address.
    pub fn plant_cookie(&self, url: &str, name: &str, value: &str) {
        let cookie = json!({"name": name, "value": value, "url": url});
        let done = self.command("Network.setCookie", &cookie);
        assert_eq!(done["value"]["success"], true, "{done}");
    }

    /// A command of the protocol behind the browser's own tools.
    fn command(&self, name: &str, params: &Value) -> Value {
        self.ask_driver("goog/cdp/execute", &json!({"cmd": name, "params": params}))
    }

    /// A command of chromedriver's own.
    fn ask_driver(&self, command: &str, body: &Value) -> Value {
        let session = self
            .runtime
            .block_on(self.client().session_id())
            .expect("a session")
            .expect("its id");
        let url = format!("{}/session/{session}/{command}", self.driver_url);
        let body = body.to_string();
        crate::http::post(
            &url,
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
        .expect(200)
        .json()
    }

    /// What the browser complained about since the last call: errors of scripts, of the policy, of
    /// requests.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.ask_driver("se/log", &json!({"type": "browser"}));
        let list = entries["value"].as_array().cloned().unwrap_or_default();
        list.iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .filter_map(|entry| entry["message"].as_str().map(str::to_owned))
            // W16 asks for features that this build of Chromium does not have.
            .filter(|message| !message.contains("Unrecognized feature"))
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(client.close());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn a_browser_without_javascript_runs_none() {
    let page = "data:text/html,<p id=x>before</p><script>document.getElementById('x').textContent='after'</script>";
    for (javascript, shown) in [(JavaScript::On, "after"), (JavaScript::Off, "before")] {
        let browser = Browser::new(javascript);
        browser.goto(page);
        assert_eq!(browser.text("#x").as_deref(), Some(shown));
    }
}
