//! What a script prints as HTML, in a real browser (row W8b): it is seen, and nothing of it runs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use crate::browser::{Browser, JavaScript};
use crate::journeys::{set_up, start};
use crate::program::Program;

/// Keeps the first line of what is sent to it: nobody may send anything.
struct Trap {
    address: String,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let caught = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&caught);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                thread::spawn(move || keep(stream, &kept));
            }
        });
        Self { address, caught }
    }

    fn caught(&self) -> Vec<String> {
        self.caught.lock().expect("the list").clone()
    }
}

/// A browser may open a connection when a link is clicked, before it looks whether it may follow it.
/// Nothing is sent over that one.
fn keep(mut stream: TcpStream, kept: &Mutex<Vec<String>>) {
    let mut bytes = [0; 1024];
    let read = stream.read(&mut bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned();
    if let Some(line) = text.lines().next() {
        kept.lock().expect("the list").push(line.to_owned());
    }
    let _ = stream.write_all(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\n\r\n<img src=/inner>",
    );
}

static TRAP: LazyLock<Trap> = LazyLock::new(Trap::new);

/// A page that tries each way out.
fn hostile(trap: &str) -> String {
    format!(
        r#"#!/bin/sh
# /// stagedoor
# access = {{ run = ["everyone"] }}
# output_format = "html"
# ///
cat <<'END'
<!doctype html><html><head><title>Report</title>
<link rel="stylesheet" href="http://{trap}/style.css">
<meta http-equiv="refresh" content="1; url=http://{trap}/refresh">
<style>h1 {{ color: rgb(1, 2, 3) }} body {{ background: url(http://{trap}/background.png) }}</style></head><body>
<script>fetch('/api/v1/me'); document.querySelector('h1').textContent = 'Ran'; top.location = 'http://{trap}/top'</script>
<h1>Hi</h1><p id="p">seen</p>
<img src=x onerror="document.querySelector('h1').textContent = 'Ran'; fetch('http://{trap}/error')">
<img src="http://{trap}/image.png"><img src="/api/v1/me"><img alt="dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<svg onload="fetch('http://{trap}/svg')"></svg>
<iframe src="http://{trap}/inner"></iframe><object data="http://{trap}/object"></object>
<form action="http://{trap}/form"><button id="send">Send</button></form>
<a id="top" target="_top" href="http://{trap}/link-top">top</a>
<a id="new" target="_blank" href="http://{trap}/link-new">new</a>
<a id="own" href="/runs">own</a>
<a id="out" href="http://{trap}/link">out</a>
</body></html>
END
"#
    )
}

/// Looks for half a second: what was to happen has happened by then, or it is stopped.
fn pause() {
    thread::sleep(std::time::Duration::from_millis(500));
}

fn opened(javascript: JavaScript) -> (Program, Browser, String) {
    let script = hostile(&TRAP.address);
    let mut program = Program::with_scripts(&[("report.sh", &script), ("disk-report.sh", DISK)]);
    let browser = Browser::new(javascript);
    set_up(&browser, &mut program);
    start(&browser, &program, "report", &[]);
    browser.wait("ended", |b| b.shows("#run[data-state=ended]"));
    browser.wait("the frame", |b| b.shows("iframe.report"));
    let page = browser.url();
    (program, browser, page)
}

/// What `set_up` waits for.
const DISK: &str = "#!/bin/sh\n# /// stagedoor\n# title = \"Disk report\"\n# access = { run = [\"everyone\"] }\n# ///\ndf\n";

fn nothing_gets_out(javascript: JavaScript) {
    let (program, browser, page) = opened(javascript);
    browser.enter_frame("iframe.report");
    browser.wait_for_text("h1", "Hi");
    pause();
    assert_eq!(browser.text("h1").as_deref(), Some("Hi"), "no script ran");
    assert_eq!(browser.text("#p").as_deref(), Some("seen"));
    for link in ["#send", "#top", "#new"] {
        browser.click(link);
        pause();
        assert_eq!(browser.text("h1").as_deref(), Some("Hi"), "{link} led away");
        assert_eq!(browser.windows(), 1, "{link} opened a window");
    }
    browser.leave_frame();
    assert_eq!(browser.url(), page, "the page of the run stays");
    for link in ["#own", "#out"] {
        browser.goto(&page);
        browser.enter_frame("iframe.report");
        browser.click(link);
        pause();
        browser.leave_frame();
        assert_eq!(browser.url(), page, "{link} led the page of the run away");
        assert!(browser.shows("#run[data-state=ended]"), "{link}");
    }
    assert_eq!(TRAP.caught(), Vec::<String>::new(), "left the frame");
    drop(program);
}

#[test]
fn w8b_a_page_that_a_script_printed_is_seen_and_nothing_of_it_runs_or_leaves() {
    nothing_gets_out(JavaScript::On);
    nothing_gets_out(JavaScript::Off);
}

#[test]
fn w8b_in_a_tab_of_its_own_such_a_page_is_as_powerless() {
    let (program, browser, page) = opened(JavaScript::On);
    let _ = browser.complaints();
    browser.goto(&format!("{page}/html"));
    browser.wait_for_text("h1", "Hi");
    pause();
    assert_eq!(browser.text("h1").as_deref(), Some("Hi"));
    let complaints = browser.complaints().join("\n");
    for kept in ["Blocked script execution", "image.png", "style.css"] {
        assert!(complaints.contains(kept), "{kept} in\n{complaints}");
    }
    drop(program);
}

#[test]
fn a_report_is_shown_with_its_style_and_its_text_unfolds_below() {
    for javascript in [JavaScript::On, JavaScript::Off] {
        let mut program = Program::with_examples();
        let browser = Browser::new(javascript);
        set_up(&browser, &mut program);
        start(&browser, &program, "sales-report", &[]);
        browser.wait("ended", |b| b.shows("#run[data-state=ended]"));
        browser.wait("the frame", |b| b.shows("iframe.report"));
        assert!(!browser.shows("#log"), "folded away");
        browser.enter_frame("iframe.report");
        browser.wait_for_text("h1", "Sales by region");
        browser.wait("the chart", |b| b.shows("svg rect"));
        browser.leave_frame();
        browser.click("details.source summary");
        browser.wait_for_text("#log", "<h1>Sales by region</h1>");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn the_trap_catches_what_gets_out() {
    let trap = Trap::new();
    let browser = Browser::new(JavaScript::Off);
    browser.goto(&format!("http://{}/page", trap.address));
    browser.wait("it is caught", |_| {
        trap.caught().iter().any(|line| line.contains("/inner"))
    });
}
