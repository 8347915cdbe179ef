//! Which of an author's texts a reader gets, by the request's `Accept-Language` (RFC 9110,
//! 12.5.4). Our own texts are English.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use stagedoor_domain::param::{Param, Texts};
use stagedoor_domain::script::Script;

/// Languages of one request that are looked at; nobody names more.
const MOST: usize = 32;
/// What an author wrote without naming its language is taken for the language of our own texts.
const OWN: &str = "en";

/// What a reader understands, best first, in small letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Languages(Vec<String>);

/// A text of an author as one reader gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// The words.
    pub text: String,
    /// The tag of a translation; none when these are the author's own words.
    pub lang: Option<String>,
}

impl From<&str> for Text {
    fn from(own: &str) -> Self {
        Self {
            text: own.to_owned(),
            lang: None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Languages {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Languages {
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT_LANGUAGE).iter();
        let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        Self::parse(&texts.join(","))
    }

    fn parse(text: &str) -> Self {
        let mut ranges: Vec<(u16, String)> = text.split(',').filter_map(range).take(MOST).collect();
        // Stable: of two that are wanted alike, the first counts.
        ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        Self(ranges.into_iter().map(|(_, tag)| tag).collect())
    }

    /// A script's title.
    pub fn title(&self, script: &Script) -> Text {
        let translations = script.lang.iter();
        self.choose(translations, |texts| texts.title.as_deref())
            .unwrap_or_else(|| script.title.as_str().into())
    }

    /// A script's description, in Markdown.
    pub fn description(&self, script: &Script) -> Option<Text> {
        let translations = script.lang.iter();
        self.choose(translations, |texts| texts.description.as_deref())
            .or_else(|| script.description.as_deref().map(Text::from))
    }

    /// A parameter's label.
    pub fn label(&self, param: &Param) -> Text {
        let translations = param.lang.iter().map(|(tag, texts)| (tag, texts));
        self.choose(translations, |texts| texts.title.as_deref())
            .unwrap_or_else(|| param.title.as_str().into())
    }

    /// What stands below a parameter's field, in Markdown.
    pub fn help(&self, param: &Param) -> Option<Text> {
        let translations = param.lang.iter().map(|(tag, texts)| (tag, texts));
        self.choose(translations, |texts| texts.description.as_deref())
            .or_else(|| param.description.as_deref().map(Text::from))
    }

    /// The translation that fits best; none when the author's own words do. A translation may
    /// lack this text.
    fn choose<'a>(
        &self,
        translations: impl Iterator<Item = (&'a String, &'a Texts)>,
        text: impl Fn(&Texts) -> Option<&str>,
    ) -> Option<Text> {
        let known: Vec<(&str, &str)> = translations
            .filter_map(|(tag, texts)| Some((tag.as_str(), text(texts)?)))
            .collect();
        for wanted in &self.0 {
            let is = |name: &str| known.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name));
            let kin = || {
                let near = |tag: &str| primary(tag).eq_ignore_ascii_case(primary(wanted));
                known.iter().find(|(tag, _)| near(tag))
            };
            if let Some((tag, text)) = is(wanted).or_else(|| is(primary(wanted))).or_else(kin) {
                return Some(Text {
                    text: (*text).to_owned(),
                    lang: Some((*tag).to_owned()),
                });
            }
            // Who wants English, then German, is not served with German for an English text.
            if wanted == "*" || primary(wanted) == OWN {
                return None;
            }
        }
        None
    }
}

/// `de-AT;q=0.8` with its weight in thousandths; none when it is not wanted, or no range.
fn range(text: &str) -> Option<(u16, String)> {
    let (tag, parameter) = match text.split_once(';') {
        Some((tag, parameter)) => (tag.trim(), Some(parameter.trim())),
        None => (text.trim(), None),
    };
    let weight = match parameter {
        None => 1000,
        Some(parameter) => weight(parameter.strip_prefix(['q', 'Q'])?)?,
    };
    let is_tag = !tag.is_empty()
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*'));
    (is_tag && weight > 0).then(|| (weight, tag.to_ascii_lowercase()))
}

/// `=0.8` as 800 (RFC 9110, 12.4.2: at most three digits, at most 1).
fn weight(text: &str) -> Option<u16> {
    let text = text.trim().strip_prefix('=')?.trim();
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let is_short = digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    let thousandths: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" if is_short => Some(thousandths),
        "1" if is_short && thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// `de` of `de-AT`.
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str, tags: &[&str]) -> Option<String> {
        let translations: Vec<(String, Texts)> = tags
            .iter()
            .map(|tag| {
                let title = Some(format!("in {tag}"));
                (
                    (*tag).to_owned(),
                    Texts {
                        title,
                        description: None,
                    },
                )
            })
            .collect();
        let pairs = translations.iter().map(|(tag, texts)| (tag, texts));
        Languages::parse(accept)
            .choose(pairs, |texts| texts.title.as_deref())
            .and_then(|text| text.lang)
    }

    #[test]
    fn the_exact_tag_comes_before_the_language_and_the_language_before_its_kin() {
        let rows = [
            ("de", &["de"] as &[&str], Some("de")),
            ("DE-at", &["de", "de-AT"], Some("de-AT")),
            ("de-AT", &["de-CH", "de"], Some("de")),
            ("pt", &["fr", "pt-BR"], Some("pt-BR")),
            ("fr", &["de"], None),
            ("d", &["de"], None),
        ];
        for (accept, tags, tag) in rows {
            assert_eq!(chosen(accept, tags).as_deref(), tag, "{accept} of {tags:?}");
        }
    }

    #[test]
    fn the_language_with_the_greatest_weight_that_there_is_counts() {
        let rows = [
            ("fr;q=0.5, de;q=0.9", Some("de")),
            ("fr , de", Some("fr")),
            ("es, de;q=0.2, fr;q=0.1", Some("de")),
            ("de;q=0, fr;q=0.001", Some("fr")),
            ("de;q=0", None),
            ("de ; Q = 0.7,fr; q=0.75", Some("fr")),
        ];
        for (accept, tag) in rows {
            assert_eq!(chosen(accept, &["de", "fr"]).as_deref(), tag, "{accept}");
        }
    }

    #[test]
    fn who_wants_english_most_gets_the_author_s_own_words_unless_they_are_translated() {
        assert_eq!(chosen("en-GB,en;q=0.9,de;q=0.8", &["de"]), None);
        assert_eq!(chosen("*, de;q=0.8", &["de"]), None);
        assert_eq!(
            chosen("en-GB,de;q=0.8", &["de", "en"]).as_deref(),
            Some("en")
        );
        assert_eq!(chosen("", &["de"]), None);
    }

    #[test]
    fn what_is_no_language_is_passed_over() {
        for bad in [
            "q=1",
            ";",
            ",,",
            "d\u{e9}",
            "fr;q=2",
            "fr;q=nan",
            "fr;q=0.1234",
            "fr;x=1",
            "fr;q",
        ] {
            assert_eq!(
                chosen(&format!("{bad},de;q=0.1"), &["de", "fr"]).as_deref(),
                Some("de"),
                "{bad}"
            );
        }
        let many = "xx,".repeat(1000) + "de";
        assert_eq!(chosen(&many, &["de"]), None, "the looking ends somewhere");
    }

    #[test]
    fn a_translation_without_this_text_is_passed_over() {
        let with = |title: &str| Texts {
            title: Some(title.to_owned()),
            description: None,
        };
        let all = [
            ("de-AT".to_owned(), Texts::default()),
            ("de".to_owned(), with("Ja")),
        ];
        let pairs = all.iter().map(|(tag, texts)| (tag, texts));
        let text = Languages::parse("de-AT").choose(pairs, |texts| texts.title.as_deref());
        assert_eq!(
            text,
            Some(Text {
                text: "Ja".to_owned(),
                lang: Some("de".to_owned())
            })
        );
    }
}
