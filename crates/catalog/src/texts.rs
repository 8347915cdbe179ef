//! Texts that people read: titles made from names, and translations.

use stagedoor_config::document::{Problems, Table};
use stagedoor_domain::param::Texts;

use crate::keys::TEXTS;

/// A title for who gave none: `keep_days` becomes `Keep days`.
pub(crate) fn title_of(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => name.to_owned(),
    }
}

/// `lang.de = { title, description }`.
pub(crate) fn translations(table: &Table, problems: &mut Problems) -> Vec<(String, Texts)> {
    let Some(lang) = table.get("lang") else {
        return Vec::new();
    };
    let Some(by_tag) = lang.table("{ de = { title = \"…\" } }", problems) else {
        return Vec::new();
    };
    let mut translations = Vec::new();
    for (tag, entry) in by_tag.in_order() {
        if !is_tag(tag) {
            let problem = entry.key.problem(format!("`{tag}` is not a language tag"));
            problems.push(problem.mend("write a tag such as `de`, `pt-BR` or `zh-Hant`"));
        }
        if let Some(texts) = entry.node.table("{ title = \"…\" }", problems) {
            TEXTS.check(texts, problems);
            let title = texts.text("title", problems);
            let description = texts.text("description", problems);
            translations.push((tag.to_owned(), Texts { title, description }));
        }
    }
    translations
}

/// The shape of a language tag (RFC 5646, section 2.1): enough to catch what is none.
fn is_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_from_a_name() {
        assert_eq!(title_of("keep_days"), "Keep days");
        assert_eq!(title_of("db-backup"), "Db backup");
        assert_eq!(title_of("-"), "-");
    }

    #[test]
    fn a_language_tag_is_told_from_other_words() {
        assert!(["de", "pt-BR", "zh-Hant", "gsw"].into_iter().all(is_tag));
        assert!(!["", "german", "DE", "de_AT", "de-"].into_iter().any(is_tag));
    }
}
