//! Reads reports of both kinds: what `report-uri` sends (CSP 3, section 5.3) and what the
//! Reporting API sends. Of each, only what groups are made of is kept.

use std::str;

use serde::Deserialize;
use stagedoor_domain::id::RunId;

/// Reports of one message that are read.
const MOST: usize = 32;
/// Bytes of each text that are kept.
const LONGEST: usize = 120;

/// What the policy kept a page from doing. Two of them are of one group when they are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Violation {
    /// The part of the policy: `script-src-elem`.
    pub directive: String,
    /// A word such as `inline`, or the origin of what was not loaded.
    pub blocked: String,
    /// The path of the page, with `…` for the id of a run.
    pub page: String,
    /// Where the cause stands: a path of ours, another origin, a scheme; or nothing.
    pub source: String,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One report.
    Single,
    /// Some at once.
    Batch,
}

impl Format {
    /// By Content-Type.
    pub fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or("").trim();
        if kind.eq_ignore_ascii_case("application/csp-report") {
            Some(Self::Single)
        } else if kind.eq_ignore_ascii_case("application/reports+json") {
            Some(Self::Batch)
        } else {
            None
        }
    }
}

/// The server as its client names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// Of the request's Host.
    pub host: &'a str,
    /// By HTTPS.
    pub is_secure: bool,
}

#[derive(Deserialize)]
struct Single {
    #[serde(rename = "csp-report")]
    report: Told,
}

#[derive(Deserialize)]
struct Item {
    r#type: String,
    body: Told,
}

/// The first name is the Reporting API's, the other one that of `report-uri`.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "documentURL", alias = "document-uri")]
    document: String,
    #[serde(rename = "effectiveDirective", alias = "effective-directive")]
    effective: Option<String>,
    #[serde(rename = "violated-directive")]
    violated: Option<String>,
    #[serde(rename = "blockedURL", alias = "blocked-uri")]
    blocked: Option<String>,
    #[serde(rename = "sourceFile", alias = "source-file")]
    source: Option<String>,
}

/// Those of pages of this site; what is not understood is left out.
pub(super) fn violations(bytes: &[u8], format: Format, site: Site<'_>) -> Vec<Violation> {
    let told = match format {
        Format::Single => serde_json::from_slice(bytes).map(|Single { report }| vec![report]),
        Format::Batch => serde_json::from_slice(bytes).map(|items: Vec<serde_json::Value>| {
            let items = items.into_iter().take(MOST);
            // Reports of other types have other bodies.
            let items = items.filter_map(|item| serde_json::from_value(item).ok());
            items
                .filter(|item: &Item| item.r#type == "csp-violation")
                .map(|item| item.body)
                .collect()
        }),
    };
    let told = told.unwrap_or_default();
    told.iter()
        .filter_map(|told| site.violation(told))
        .collect()
}

impl Site<'_> {
    /// None when it is not about a page of ours.
    fn violation(self, told: &Told) -> Option<Violation> {
        let directive = told.effective.as_deref().or(told.violated.as_deref())?;
        let directive = directive.split(' ').next().unwrap_or("");
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        if directive.is_empty() || directive.len() > 40 || !directive.bytes().all(is_name) {
            return None;
        }
        Some(Violation {
            directive: directive.to_owned(),
            blocked: self.place(told.blocked.as_deref().unwrap_or("")),
            page: self.path(&told.document)?,
            source: self.place(told.source.as_deref().unwrap_or("")),
        })
    }

    /// The path of an address of ours, without its query.
    fn path(self, address: &str) -> Option<String> {
        let scheme = if self.is_secure {
            "https://"
        } else {
            "http://"
        };
        let rest = address.strip_prefix(scheme)?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(at)?;
        if !host.eq_ignore_ascii_case(self.host) {
            return None;
        }
        let path = path.split(['?', '#']).next().unwrap_or("");
        let parts: Vec<&str> = path
            .split('/')
            .map(|part| {
                if RunId::parse(part).is_some() {
                    "…"
                } else {
                    part
                }
            })
            .collect();
        Some(clean(&parts.join("/")))
    }

    /// A path of ours; of others the origin, or the word or scheme that a browser writes for it.
    fn place(self, told: &str) -> String {
        if let Some(path) = self.path(told) {
            return path;
        }
        let Some((scheme, rest)) = told.split_once("://") else {
            let word = told.split([':', '/', '?', '#']).next().unwrap_or("");
            return clean(word);
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let host = authority.rsplit('@').next().unwrap_or("");
        clean(&format!("{scheme}://{host}"))
    }
}

/// Addresses are written in visible ASCII; the rest was made up. `…` is ours.
fn clean(text: &str) -> String {
    let shown = |c: &char| c.is_ascii_graphic() || *c == '…';
    text.chars().filter(shown).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
