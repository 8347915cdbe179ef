//! Any text at all in every place of every template: the page around it stays the same.

use proptest::prelude::*;

use super::pages;

/// A word that no template has.
const WORD: &str = "qxwordxq";

/// As a page has to write it. Once: who reads the page would see a second time.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' | '>' | '&' | '"' | '\'' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The description of a script is Markdown, which leaves text out; `markdown.rs` has its own tests.
    #[test]
    fn b11_b13_any_text_leaves_the_markup_of_a_template_as_it_is(text in "[<>&\"'=/;{}%#!a-z\u{202e}\u{0}\r\n -]{1,24}") {
        let text = format!("qx{text}xq");
        for ((name, html), (_, plain)) in pages(&text).into_iter().zip(pages(WORD)) {
            if name.starts_with("script.html") {
                continue;
            }
            prop_assert_eq!(html.replace(&escaped(&text), WORD), plain, "{}", name);
        }
    }
}
