//! The security headers (rows W6 to W19), on every answer whatever made it.

use std::sync::LazyLock;

use axum::response::Response;
use http::header::{
    self, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
    STRICT_TRANSPORT_SECURITY, VARY,
};
use stagedoor_config::Hsts;

/// Marks an answer whose page has a form that works without JavaScript.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasForm;

/// Marks a page that shows what a script printed as HTML in a frame; it has forms too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasFrame;

/// Marks what a script printed: whatever a browser makes of it, nothing of it runs (row W8b).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sandboxed {
    /// A page, for the frame on a page of ours.
    Framed,
    /// A file to be kept, which nobody has to show.
    File,
}

/// Marks an answer whose address changes with its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Immutable;

/// Marks the answer to a log-out: the browser is to forget what it kept (row W14).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedOut;

/// What pages may not use; none of them is needed. The four of row W16 stand first. A browser that
/// does not know one of the names says so in its console, and goes by the others.
const PERMISSIONS: &str = "microphone=(), camera=(), payment=(), geolocation=(), \
    accelerometer=(), autoplay=(), bluetooth=(), browsing-topics=(), clipboard-read=(), \
    display-capture=(), encrypted-media=(), fullscreen=(), gyroscope=(), hid=(), \
    idle-detection=(), magnetometer=(), midi=(), publickey-credentials-get=(self), \
    screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

/// Header and value, the same for every answer. `Referrer-Policy: same-origin`, because
/// `no-referrer` makes a form send `Origin: null`; the old filter of `X-XSS-Protection` is off,
/// because it opened holes.
const FIXED: [(HeaderName, &str); 11] = [
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_XSS_PROTECTION, "0"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        "none",
    ),
    (HeaderName::from_static("origin-agent-cluster"), "?1"),
    (HeaderName::from_static("x-dns-prefetch-control"), "off"),
];

/// Where browsers send what the policy kept a page from doing, below the base path.
pub(crate) const REPORTS: &str = "/csp-report";

/// Without `allow-scripts` and its like, `sandbox` takes everything from a page but to be seen.
const POLICY_OF_SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; \
    img-src data:; frame-ancestors 'self'";

/// All that an answer may need, made once: an answer copies references.
#[derive(Debug)]
pub(crate) struct Sets {
    plain: Set,
    secure: Set,
    /// What a log-out clears. Not "cookies": that would end the sessions of other ports on this machine. Not
    /// "storage" below a base path, where it belongs to other programs too.
    clearing: &'static str,
}

/// For answers over one of the two schemes.
#[derive(Debug)]
struct Set {
    /// On every answer.
    lines: Vec<(HeaderName, HeaderValue)>,
    /// The policy of what a page may do, without a form and with one.
    policy: HeaderValue,
    policy_with_form: HeaderValue,
    policy_with_frame: HeaderValue,
    /// The same and more for what nobody has to show.
    policy_of_file: HeaderValue,
}

impl Sets {
    /// `base_path` is empty, or begins with a slash.
    pub fn new(hsts: Hsts, base_path: &str) -> Self {
        Self {
            plain: Set::new(None, base_path),
            secure: Set::new(Some(hsts), base_path),
            clearing: if base_path.is_empty() {
                "\"cache\", \"storage\""
            } else {
                "\"cache\""
            },
        }
    }

    /// Sets them; what a handler set of these is replaced, but `Cache-Control` of what is
    /// immutable, and `Vary`.
    pub fn apply(&self, response: &mut Response, is_secure: bool) {
        let set = self.of(is_secure);
        let marks = response.extensions();
        let has_form = marks.get::<HasForm>().is_some();
        let is_immutable = marks.get::<Immutable>().is_some();
        let signed_out = marks.get::<SignedOut>().is_some();
        let has_frame = marks.get::<HasFrame>().is_some();
        let sandboxed = marks.get::<Sandboxed>().copied();
        let headers = response.headers_mut();
        headers.reserve(set.lines.len() + 4);
        for (name, value) in &set.lines {
            headers.insert(name, value.clone());
        }
        let policy = match (has_frame, has_form) {
            _ if sandboxed == Some(Sandboxed::File) => &set.policy_of_file,
            (true, _) => &set.policy_with_frame,
            (_, true) => &set.policy_with_form,
            _ => &set.policy,
        };
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        if sandboxed == Some(Sandboxed::Framed) {
            sandbox(headers);
        }
        if is_immutable {
            let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
            headers.insert(CACHE_CONTROL, for_ever);
        } else {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            // Everything else may look different to somebody else.
            let vary = headers.entry(VARY);
            vary.or_insert_with(|| HeaderValue::from_static("cookie"));
        }
        if signed_out {
            let name = HeaderName::from_static("clear-site-data");
            headers.insert(name, HeaderValue::from_static(self.clearing));
        }
        headers.remove(header::SERVER);
    }

    /// The same set as lines of text, for answers that are written without the router.
    pub fn as_text(&self, is_secure: bool) -> String {
        let mut response = Response::default();
        self.apply(&mut response, is_secure);
        lines(response.headers())
    }

    fn of(&self, is_secure: bool) -> &Set {
        if is_secure { &self.secure } else { &self.plain }
    }
}

impl Set {
    /// `hsts` is none over plain HTTP, where the header has no meaning (RFC 6797, 7.2).
    fn new(hsts: Option<Hsts>, base_path: &str) -> Self {
        let mut lines: Vec<_> = FIXED
            .into_iter()
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect();
        // Over plain HTTP browsers take no endpoint from a header, and one that the policy names
        // would keep Chromium from using `report-uri`.
        if hsts.is_some() {
            let endpoints = value(format!("csp=\"{base_path}{REPORTS}\""));
            lines.push((HeaderName::from_static("reporting-endpoints"), endpoints));
        }
        let promise = match hsts {
            Some(Hsts::Full) => Some("max-age=63072000; includeSubDomains; preload"),
            Some(Hsts::Host) => Some("max-age=63072000"),
            Some(Hsts::Off) | None => None,
        };
        if let Some(promise) = promise {
            let promise = HeaderValue::from_static(promise);
            lines.push((STRICT_TRANSPORT_SECURITY, promise));
        }
        let policy = |form| value(policy(form, base_path, hsts.is_some()));
        Self {
            lines,
            policy: policy("form-action 'none'"),
            policy_with_form: policy("form-action 'self'"),
            policy_with_frame: policy("frame-src 'self'; form-action 'self'"),
            policy_of_file: policy("form-action 'none'; sandbox"),
        }
    }
}

/// Of the page that stands in a frame.
fn sandbox(headers: &mut HeaderMap) {
    let lines = [
        (CONTENT_SECURITY_POLICY, POLICY_OF_SANDBOX),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        // With any other value a browser shows no sandboxed page in a tab of its own.
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "unsafe-none",
        ),
    ];
    for (name, value) in lines {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Row W8; `extras` are what differs between pages. No page script makes a Trusted Types policy, so none is allowed.
fn policy(extras: &str, base_path: &str, is_secure: bool) -> String {
    let over_https = if is_secure {
        "; report-to csp; upgrade-insecure-requests"
    } else {
        ""
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
         {extras}; frame-ancestors 'none'; object-src 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'; \
         report-uri {base_path}{REPORTS}{over_https}"
    )
}

/// A base path has only letters, digits and `-._/`, so this is always a good value.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The set of a server on plain HTTP without a base path.
pub(crate) fn as_text() -> String {
    static TEXT: LazyLock<String> = LazyLock::new(|| Sets::new(Hsts::Off, "").as_text(false));
    TEXT.clone()
}

fn lines(headers: &HeaderMap) -> String {
    headers
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}: {}\r\n", value.to_str().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests;
