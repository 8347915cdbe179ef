//! What somebody came with, in the few words that a list of sessions needs. A header says anything,
//! so nothing is decided by it, and little of it is kept.

use http::HeaderMap;
use http::header::USER_AGENT;
use stagedoor_app::sessions::Visitor;

use crate::session::Arrival;

/// Most characters of a program that is no browser.
const LONGEST: usize = 24;

/// Browsers by what only they say; many say what others say, too, so the order counts.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems in the same way.
const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

/// Who comes, for the session that may begin.
pub(crate) fn visitor(arrival: Arrival, headers: &HeaderMap) -> Visitor {
    let said = headers.get(USER_AGENT);
    let said = said.and_then(|said| said.to_str().ok()).unwrap_or("");
    Visitor {
        address: arrival.peer,
        browser: words(said),
    }
}

/// `Firefox on Linux`; for a program that is no browser the name that it begins with.
fn words(said: &str) -> String {
    let known = |list: &[(&str, &'static str)]| {
        list.iter()
            .find(|(mark, _)| said.contains(mark))
            .map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => said
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
            .take(LONGEST)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_in_a_few_words() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (said, shown) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                "Firefox on Linux",
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/140.0 Safari/537.36"),
                "Chrome on Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/140.0 Safari/537.36 Edg/140.0"
                ),
                "Edge on Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 16) {webkit} Chrome/140.0 Mobile Safari/537.36"
                ),
                "Chrome on Android",
            ),
            (
                format!(
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {webkit} Version/19.0 Safari/604.1"
                ),
                "Safari on iPhone",
            ),
            ("curl/8.14.1".to_owned(), "curl"),
            (String::new(), ""),
        ] {
            assert_eq!(words(&said), shown, "{said}");
        }
    }

    #[test]
    fn nothing_long_or_strange_is_kept() {
        assert_eq!(words("<svg onload=alert(1)>"), "");
        assert_eq!(words("evil\u{202e}\r\nX"), "evil");
        assert_eq!(words(&"a".repeat(10_000)).len(), LONGEST);
    }
}
