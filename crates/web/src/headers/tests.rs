//! The set on answers of each kind, over both schemes.

use super::*;

fn over(is_secure: bool, hsts: Hsts, mark: impl FnOnce(&mut Response)) -> HeaderMap {
    let mut response = Response::default();
    mark(&mut response);
    Sets::new(hsts, "").apply(&mut response, is_secure);
    response.headers().clone()
}

fn of(mark: impl FnOnce(&mut Response)) -> HeaderMap {
    over(false, Hsts::Full, mark)
}

fn policy_of(headers: &HeaderMap) -> String {
    let policy = headers.get(CONTENT_SECURITY_POLICY).expect("set");
    policy.to_str().expect("text").to_owned()
}

#[test]
fn w8_a_form_is_allowed_only_where_there_is_one() {
    for is_secure in [false, true] {
        let plain = policy_of(&over(is_secure, Hsts::Full, |_| {}));
        let form = policy_of(&over(is_secure, Hsts::Full, |response| {
            response.extensions_mut().insert(HasForm);
        }));
        assert!(plain.contains("form-action 'none'"));
        assert!(form.contains("form-action 'self'"));
        for policy in [plain, form] {
            assert!(policy.starts_with("default-src 'none'; "));
            let is_lax = policy.contains("unsafe") || policy.contains('*');
            assert!(!is_lax, "{policy}");
            let upgrades = policy.contains("; upgrade-insecure-requests");
            assert_eq!(upgrades, is_secure, "{policy}");
        }
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
        response.extensions_mut().insert(Sandboxed::Framed);
    });
    let file = of(|response| {
        response.extensions_mut().insert(Sandboxed::File);
    });
    let policy = |headers| value(headers, "content-security-policy");
    assert_eq!(
        policy(&file),
        policy(&plain).replace("form-action 'none'", "form-action 'none'; sandbox")
    );
    assert!(!policy(&plain).contains("frame-src"));
    assert!(policy(&page).contains("frame-src 'self'; form-action 'self'"));
    assert_eq!(
        policy(&framed),
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
         frame-ancestors 'self'"
    );
    let may_be_framed = |headers| value(headers, "x-frame-options") != "DENY";
    assert_eq!(
        [&plain, &page, &framed, &file].map(may_be_framed),
        [false, false, true, false]
    );
}

#[test]
fn w8_reports_go_below_the_base_path_in_the_way_that_the_scheme_allows() {
    let sets = Sets::new(Hsts::Full, "/a/b");
    for is_secure in [false, true] {
        let mut response = Response::default();
        sets.apply(&mut response, is_secure);
        let headers = response.headers();
        let policy = policy_of(headers);
        assert!(policy.contains("; report-uri /a/b/csp-report"), "{policy}");
        assert_eq!(policy.contains("; report-to csp;"), is_secure, "{policy}");
        let endpoints = headers.get("reporting-endpoints");
        let endpoints = endpoints.map(|value| value.to_str().expect("text"));
        let expected = is_secure.then_some("csp=\"/a/b/csp-report\"");
        assert_eq!(endpoints, expected);
    }
}

#[test]
fn w7_the_promise_of_https_is_made_over_https_alone() {
    let promise = |is_secure, hsts| {
        let headers = over(is_secure, hsts, |_| {});
        let promise = headers.get("strict-transport-security");
        promise.map(|value| value.to_str().expect("text").to_owned())
    };
    let full = "max-age=63072000; includeSubDomains; preload";
    assert_eq!(promise(true, Hsts::Full).as_deref(), Some(full));
    let host = Some("max-age=63072000");
    assert_eq!(promise(true, Hsts::Host).as_deref(), host);
    assert_eq!(promise(true, Hsts::Off), None);
    for hsts in [Hsts::Full, Hsts::Host, Hsts::Off] {
        assert_eq!(promise(false, hsts), None, "{hsts:?} over plain HTTP");
    }
}

#[test]
fn w15_what_today_forbids_is_absent() {
    let headers = of(|response| {
        response
            .headers_mut()
            .insert("server", HeaderValue::from_static("x/1"));
    });
    for name in ["feature-policy", "server", "clear-site-data"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[test]
fn w13_an_answer_that_another_person_would_not_get_says_so_once() {
    assert_eq!(of(|_| {})["vary"], "cookie");
    let kept = of(|response| {
        response.extensions_mut().insert(Immutable);
    });
    assert!(!kept.contains_key("vary"));
    let also = of(|response| {
        let both = HeaderValue::from_static("accept-language, cookie");
        response.headers_mut().insert(VARY, both);
    });
    let all: Vec<_> = also.get_all("vary").iter().collect();
    assert_eq!(all, ["accept-language, cookie"]);
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
