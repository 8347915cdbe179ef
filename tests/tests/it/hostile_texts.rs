//! Texts of strangers on our pages, in a real browser (W27, W70, B11, B13): what is shown is what
//! was written, and nothing of it becomes markup, runs, or changes the order of what is read.

use serde_json::{Value, json};

use crate::browser::{Browser, JavaScript};
use crate::http;
use crate::program::{Home, Program, stagedoor};
use crate::robot::{PASSWORD, Robot, id};

/// Ends every place in which a template could stand, and begins something that would run.
pub const MARKUP: &str = "\"'><svg onload=alert(1)></title></textarea></option></script>\
                          <script>alert(2)</script><img src=x onerror=alert(3)>";
/// Every hostile text begins and ends with these, so that a page can be searched for it. They hold
/// what no token of a form can hold, or chance would find them there now and then.
pub const BEGIN: &str = "h1!";
pub const END: &str = "!1h";

/// One line of everything that may stand in one line: markup, templates, and what turns the
/// direction of reading and never turns it back.
pub fn line() -> String {
    format!("{BEGIN}{MARKUP}{{{{7*7}}}}${{7*7}}{{% x %}}&amp;\u{202e}evil\u{2066}{END}")
}

/// What a terminal would obey, a line that looks like one of the log, and a header.
pub const STEERING: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\n\
                            {\"level\":\"INFO\",\"message\":\"forged-4711\"}\r\nX-Injected: 4711\r\n\r\n";

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text that Markdown shows as this one.
fn markdown(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_ascii_punctuation() => format!("\\{c}"),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// A script whose author wrote a hostile text wherever one can be written.
fn hostile_script() -> String {
    let (text, prose) = (quoted(&line()), quoted(&markdown(&line())));
    let printed = line().replace('\'', "'\\''");
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n\
         # title = {text}\n# description = {prose}\n# icon = {text}\n# confirm = {text}\n\
         # tags = [{text}]\n# lang.de = {{ title = {text}, description = {prose} }}\n\
         # extra = {{ note = {text} }}\n#\n\
         # [[param]]\n# name = \"one\"\n# title = {text}\n# description = {prose}\n\
         # example = {text}\n# section = {text}\n# suggestions = [{text}]\n# pattern = \".*\"\n# pattern_help = {text}\n#\n\
         # [[param]]\n# name = \"chosen\"\n# choices = [\"a\", {{ value = {text}, label = {text} }}]\n#\n\
         # [[param]]\n# name = \"many\"\n# type = \"multiline\"\n# pass = \"file\"\n# option = \"--many\"\n#\n\
         # [[param]]\n# name = \"fixed\"\n# value = {text}\n# ///\n\
         printf '%s\\n' '{printed}'\nprintf '%s\\n' '{printed}' >&2\n\
         printf '\\033[2J\\033]0;x\\007\\000\\033[31mred\\033[0m\\r\\nafter\\n'\n"
    )
}

/// In the name of a file everything may stand but a slash.
fn file_name() -> String {
    format!("{}{STEERING}{END}.sh", line()).replace('/', "|")
}

/// The names of files and what stands in a broken definition are hostile too.
fn scripts(home: &Home) -> std::path::PathBuf {
    let broken = format!(
        "#!/bin/sh\n# /// stagedoor\n# {} = {}\n# ///\n",
        quoted(&line()),
        quoted(&line())
    );
    home.scripts(&[
        ("hostile.sh", &hostile_script()),
        ("broken.sh", &broken),
        (&file_name(), &broken),
    ])
}

/// Looks at the whole page: what begins like a hostile text and is not one of the texts that are
/// expected, what has become markup, and what runs on into the text behind it.
const INSPECT: &str = r"
    const [begin, end, texts] = TEXTS;
    const seen = [], other = [], runsOn = [];
    const note = (place, text) => {
        if (!text.includes(begin)) return;
        // It may be cut, before an ellipsis or between the marks of a message, which are shown as code.
        const cut = text.slice(text.indexOf(begin)).split(/…$|`/)[0];
        const isCut = place === 'code' || cut.length < text.length - text.indexOf(begin);
        const is = texts.some(known => text.includes(known) || (isCut && known.startsWith(cut)));
        (is ? seen : other).push(`${place}: ${text}`);
    };
    const isLeftOpen = node => {
        if (node.data.slice(node.data.lastIndexOf(end) + end.length).trim()) return true;
        for (let inner = node; ; inner = inner.parentElement) {
            for (let next = inner.nextSibling; next; next = next.nextSibling) {
                if (next.nodeType === 3 && next.data.trim()) return true;
                if (next.nodeType !== 1) continue;
                const display = getComputedStyle(next).display;
                if (display === 'none') continue;
                if (!display.startsWith('inline')) return false;
                if (next.textContent.trim()) return true;
            }
            const style = getComputedStyle(inner.parentElement);
            if (style.unicodeBidi !== 'normal' || style.display !== 'inline') return false;
        }
    };
    const walk = document.createTreeWalker(document, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_COMMENT);
    while (walk.nextNode()) {
        const node = walk.currentNode;
        note(node.parentElement.localName, node.data);
        // In the title of a tab nothing but this text stands before the product's name.
        const isTab = node.parentElement.localName === 'title';
        if (!isTab && /[\u202a-\u202e\u2066-\u2069]/.test(node.data) && isLeftOpen(node))
            runsOn.push(`${node.parentElement.localName}: ${node.data}`);
    }
    const markup = [];
    for (const element of document.querySelectorAll('*')) {
        for (const { name, value } of element.attributes) {
            const isAddress = name === 'href' || name === 'action';
            const text = isAddress ? decodeURIComponent(value.replaceAll('+', ' ')) : value;
            note(`${element.localName} ${name}`, text);
            if (name.startsWith('on') || /^\s*javascript:/i.test(value)) markup.push(element.outerHTML);
        }
        if (typeof element.value === 'string') note(`${element.localName} holds`, element.value);
    }
    for (const element of document.querySelectorAll('script:not([src]), img, object, embed, base, style'))
        markup.push(element.outerHTML);
    return { seen: seen.length, other, runsOn, markup };
";

fn look_over(browser: &Browser, texts: &[String]) -> Value {
    let texts = json!([BEGIN, END, texts]).to_string();
    browser.look(&INSPECT.replace("TEXTS", &texts))
}

/// The page's hostile texts, all of them whole and only text; how many there are.
#[track_caller]
pub fn inspect(browser: &Browser, texts: &[String]) -> u64 {
    let page = look_over(browser, texts);
    for fault in ["other", "runsOn", "markup"] {
        assert_eq!(page[fault], json!([]), "{fault} at {}", browser.url());
    }
    page["seen"].as_u64().expect("a count")
}

/// Signs in by the form.
pub fn sign_in(browser: &Browser, program: &Program, name: &str) {
    browser.goto(&format!("{}/login", program.url));
    browser.fill("name", name);
    browser.fill("password", PASSWORD);
    browser.click("form[action=\"/login\"] button");
    browser.wait("signed in", |b| !b.url().contains("/login"));
}

/// `textContent` of each element that fits.
pub fn contents(browser: &Browser, css: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll({})].map(e => e.textContent)",
        quoted(css)
    );
    let found = browser.look(&script);
    let list = found.as_array().expect("a list");
    list.iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// As output and what an author did wrong are shown: by the documented replacement.
fn replaced(text: &str) -> String {
    let steers = |c: char| c.is_control() || "\u{202e}\u{2066}".contains(c);
    text.replace(steers, "\u{fffd}")
}

/// What the command line prints of the folder.
fn checked(folder: &std::path::Path) -> String {
    let output = stagedoor(&["check", folder.to_str().expect("a path of text")], "");
    let errors = String::from_utf8(output.stderr).expect("text");
    String::from_utf8(output.stdout).expect("text") + &errors
}

#[test]
fn what_check_prints_of_hostile_files_steers_no_terminal() {
    let home = Home::new();
    let printed = checked(&scripts(&home));
    assert!(
        printed.contains("broken.sh") && printed.contains(BEGIN),
        "{printed}"
    );
    let steers = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}".contains(c);
    assert!(!printed.contains(steers), "{printed:?}");
    assert!(
        !printed.lines().any(|line| line.starts_with("X-Injected")),
        "{printed}"
    );
}

#[test]
fn w25_w27_w70_texts_of_authors_users_and_scripts_are_whole_on_every_page_and_nothing_runs() {
    let home = Home::new();
    let folder = scripts(&home);
    let program = Program::serve(home, &folder);
    let root = Robot::new(&program, "root", &["admins"]);
    let long = format!("{BEGIN}{}{END}", "\"<b>&".repeat(2048));
    let many = format!("{}\n\t{}\n", line(), line());
    let run = root.run(
        "hostile",
        &json!({"one": line(), "chosen": line(), "many": many}),
    );
    assert_eq!(run["args"]["one"], line(), "{run}");
    let big = root.run("hostile", &json!({"one": long, "chosen": "a"}));

    let token = format!("{BEGIN}\"'><svg onload=alert(1)>{{{{7*7}}}}ü{END}");
    let make = ["token", "create", "--user", "root", "--name"];
    program.manage(&[&make[..], &[&token]].concat(), "");
    report(&program);

    let browser = Browser::new(JavaScript::On);
    sign_in(&browser, &program, "root");
    let texts = [line(), replaced(&line()), long.clone(), token];
    let visit = |path: &str| {
        browser.goto(&format!("{}{path}", program.url));
        inspect(&browser, &texts)
    };
    assert!(visit("/") >= 2, "title and description in the catalog");
    assert!(
        visit("/scripts/hostile") >= 8,
        "title, description and the form"
    );
    browser.goto(&format!("{}/admin/health", program.url));
    inspect(&browser, &[BEGIN.to_owned()]);
    let titles = contents(&browser, ".broken h2");
    assert!(titles.contains(&replaced(&file_name())), "{titles:?}");
    visit("/runs");
    visit(&format!("/runs/{}", id(&run)));
    assert_eq!(contents(&browser, "h1"), [line()]);
    let shown = contents(&browser, "dl.arguments dd");
    assert!(shown.contains(&line()), "{shown:?}");
    let printed = contents(&browser, "#log .l");
    assert!(printed.contains(&replaced(&line())), "{printed:?}");
    let again =
        browser.look("return document.querySelector('.actions a.button').getAttribute('href')");
    visit(again.as_str().expect("an address"));
    let held = browser.look("return document.querySelector('[name=one]').value");
    assert_eq!(held, line(), "it goes on unchanged");
    visit(&format!("/runs/{}", id(&big)));
    assert!(
        contents(&browser, "dl.arguments dd").contains(&long),
        "10 kB are whole"
    );
    for (path, least) in [
        ("/account", 0),
        ("/account/tokens", 1),
        ("/admin", 0),
        ("/admin/users", 0),
        ("/admin/groups", 0),
        ("/admin/grants", 0),
        ("/admin/tokens", 1),
        ("/admin/may", 0),
        ("/admin/blocked", 0),
        ("/admin/audit-log", 0),
    ] {
        assert!(visit(path) >= least, "{path}");
    }
    browser.goto(&format!("{}/admin/csp-reports", program.url));
    inspect(&browser, &[BEGIN.to_owned()]);
    let rows = browser.look("return document.querySelectorAll('table.reports tbody tr').length");
    assert_eq!(rows, 1, "only what the test sent: no page was blocked");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A browser's report that a stranger made up.
pub fn report(program: &Program) {
    let text = format!("{}{STEERING}", line());
    let report = json!({"csp-report": {
        "document-uri": format!("{}/{text}", program.url), "effective-directive": "script-src",
        "blocked-uri": text, "source-file": text,
    }});
    let headers = [("Content-Type", "application/csp-report")];
    let url = format!("{}/csp-report", program.url);
    http::post(&url, &headers, report.to_string().as_bytes()).expect(204);
}

/// What one user calls a token stands on the terminal of an admin.
#[test]
fn a_token_is_not_named_by_what_would_steer_a_terminal() {
    let home = Home::new();
    let folder = home.scripts(&[("x.txt", "")]);
    let program = Program::serve(home, &folder);
    Robot::user(&program);
    let state = program.state();
    let state = state.to_str().expect("a path of text");
    let named = |name: &str| {
        let words = [
            "token", "create", "--user", "ann", "--state", state, "--name", name,
        ];
        stagedoor(&words, "").status.success()
    };
    assert!(named("nightly backup"));
    for bad in ["\u{1b}[2J", "a\nb", "a\u{202e}b"] {
        assert!(!named(bad), "{bad:?}");
    }
}

#[test]
fn a_text_that_is_changed_or_is_markup_or_runs_on_is_found() {
    let browser = Browser::new(JavaScript::On);
    let page = "data:text/html;charset=utf-8,<p>h1!one!1h</p><p>h1!two";
    let faults = |more: &str| {
        browser.goto(&format!("{page}{more}"));
        let page = look_over(&browser, &["h1!one!1h".to_owned()]);
        ["other", "runsOn", "markup"].map(|fault| page[fault].as_array().map_or(0, Vec::len))
    };
    assert_eq!(faults(""), [1, 0, 0]);
    assert_eq!(faults("<br onclick='x'><script>x</script>"), [1, 0, 2]);
    assert_eq!(faults("<p><i>h1!one%E2%80%AE!1h</i> behind"), [2, 1, 0]);
    let apart = "<p><i style='unicode-bidi:isolate'>h1!one%E2%80%AE!1h</i> behind";
    assert_eq!(faults(apart), [2, 0, 0]);
}
