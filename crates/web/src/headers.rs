//! The security headers (rows W6 to W19), on every answer whatever made it.

use axum::response::Response;
use http::header::{
    self, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
};

/// Marks an answer whose page has a form that works without JavaScript.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasForm;

/// Marks a page that shows what a script printed as HTML in a frame; it has forms too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasFrame;

/// Marks the answer in that frame: a page of a script's own, of which nothing runs (row W8b).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sandboxed;

/// Marks an answer whose address changes with its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Immutable;

/// Marks the answer to a log-out: the browser is to forget what it kept (row W14).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedOut;

macro_rules! policy {
    ($form_action:literal) => {
        policy!($form_action, "")
    };
    ($form_action:literal, $frames:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; ",
            "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; ",
            $frames,
            "form-action ",
            $form_action,
            "; frame-ancestors 'none'; object-src 'none'; ",
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
    };
}
const POLICY: &str = policy!("'none'");
const POLICY_WITH_FORM: &str = policy!("'self'");
const POLICY_WITH_FRAME: &str = policy!("'self'", "frame-src 'self'; ");
/// Without `allow-scripts` and its like, `sandbox` takes everything from a page but to be seen.
const POLICY_OF_SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; \
    img-src data:; frame-ancestors 'self'";

/// What pages may not use; none of them is needed. The four of row W16 stand first.
const PERMISSIONS: &str = "microphone=(), camera=(), payment=(), geolocation=(), \
    accelerometer=(), autoplay=(), bluetooth=(), browsing-topics=(), clipboard-read=(), \
    display-capture=(), encrypted-media=(), fullscreen=(), gyroscope=(), hid=(), \
    idle-detection=(), magnetometer=(), midi=(), publickey-credentials-get=(self), \
    screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

/// Header and value, the same for every answer. `Referrer-Policy: same-origin`, because
/// `no-referrer` makes a form send `Origin: null`; the old filter of `X-XSS-Protection` is off,
/// because it opened holes. Over plain HTTP there is no `Strict-Transport-Security`.
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

/// Sets them; what a handler set of these is replaced, but `Cache-Control` of what is immutable.
pub(crate) fn apply(response: &mut Response) {
    let has_form = response.extensions().get::<HasForm>().is_some();
    let is_immutable = response.extensions().get::<Immutable>().is_some();
    let signed_out = response.extensions().get::<SignedOut>().is_some();
    let has_frame = response.extensions().get::<HasFrame>().is_some();
    let is_sandboxed = response.extensions().get::<Sandboxed>().is_some();
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = match (is_sandboxed, has_frame, has_form) {
        (true, ..) => POLICY_OF_SANDBOX,
        (_, true, _) => POLICY_WITH_FRAME,
        (_, _, true) => POLICY_WITH_FORM,
        _ => POLICY,
    };
    if is_sandboxed {
        headers.insert(
            header::X_FRAME_OPTIONS,
            HeaderValue::from_static("SAMEORIGIN"),
        );
        // With any other value a browser refuses to show a page that is sandboxed in a tab of its own.
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("unsafe-none"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    let cache = if is_immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if signed_out {
        // Not "cookies": that would end the sessions of other ports on this machine.
        let value = HeaderValue::from_static("\"cache\", \"storage\"");
        headers.insert(HeaderName::from_static("clear-site-data"), value);
    }
    headers.remove(header::SERVER);
}

/// The same set as text, for the one answer that is written without the router.
pub(crate) fn as_text() -> String {
    let mut response = Response::default();
    apply(&mut response);
    lines(response.headers())
}

fn lines(headers: &HeaderMap) -> String {
    headers
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}: {}\r\n", value.to_str().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mark: impl FnOnce(&mut Response)) -> HeaderMap {
        let mut response = Response::default();
        mark(&mut response);
        apply(&mut response);
        response.headers().clone()
    }

    #[test]
    fn w8_a_form_is_allowed_only_where_there_is_one() {
        let plain = of(|_| {});
        let form = of(|response| {
            response.extensions_mut().insert(HasForm);
        });
        let policy = |headers: &HeaderMap| {
            headers
                .get("content-security-policy")
                .and_then(|p| p.to_str().ok())
                .expect("set")
                .to_owned()
        };
        assert!(policy(&plain).contains("form-action 'none'"));
        assert!(policy(&form).contains("form-action 'self'"));
        for policy in [policy(&plain), policy(&form)] {
            assert!(policy.starts_with("default-src 'none'; "));
            assert!(
                !policy.contains("unsafe") && !policy.contains('*'),
                "{policy}"
            );
            assert!(!policy.contains("upgrade-insecure-requests"), "plain HTTP");
        }
    }

    #[test]
    fn w8b_only_a_scripts_own_page_may_be_framed_and_only_its_frames_page_may_frame() {
        let value = |headers: &HeaderMap, name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.expect("set").to_owned()
        };
        let plain = of(|_| {});
        let page = of(|response| {
            response.extensions_mut().insert(HasForm);
            response.extensions_mut().insert(HasFrame);
        });
        let framed = of(|response| {
            response.extensions_mut().insert(Sandboxed);
        });
        let policy = |headers| value(headers, "content-security-policy");
        assert!(!policy(&plain).contains("frame-src"));
        assert!(policy(&page).contains("frame-src 'self'; form-action 'self'"));
        assert_eq!(
            policy(&framed),
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
             frame-ancestors 'self'"
        );
        let may_be_framed = |headers| value(headers, "x-frame-options") != "DENY";
        assert_eq!(
            [&plain, &page, &framed].map(may_be_framed),
            [false, false, true]
        );
    }

    #[test]
    fn w7_w15_what_plain_http_and_today_forbid_is_absent() {
        let headers = of(|response| {
            response
                .headers_mut()
                .insert("server", HeaderValue::from_static("x/1"));
        });
        for name in [
            "strict-transport-security",
            "feature-policy",
            "server",
            "clear-site-data",
        ] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn w13_only_what_is_immutable_may_be_kept() {
        let kept = of(|response| {
            response.extensions_mut().insert(Immutable);
        });
        assert_eq!(kept["cache-control"], "public, max-age=31536000, immutable");
        let own = of(|response| {
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        });
        assert_eq!(own["cache-control"], "no-store");
    }

    #[test]
    fn w14_only_a_log_out_clears_what_the_browser_kept() {
        let out = of(|response| {
            response.extensions_mut().insert(SignedOut);
        });
        assert_eq!(out["clear-site-data"], "\"cache\", \"storage\"");
    }
}
