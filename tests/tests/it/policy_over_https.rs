//! What Chromium makes of what HTTPS adds: cookies with a prefix, reports by the Reporting API.

use std::time::Duration;

use rcgen::{KeyPair, PublicKeyData as _};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

use crate::browser::{Browser, JavaScript};
use crate::policy::inject;
use crate::robot::PASSWORD;
use crate::secure::{self, Identity};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all = three
            .iter()
            .fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
        let all = all << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(DIGITS[all >> (18 - 6 * place) & 63]));
        }
    }
    text.extend(std::iter::repeat_n('=', text.len().wrapping_neg() % 4));
    text
}

/// The flag that makes Chromium take this certificate for good.
fn trusting(identity: &Identity) -> String {
    let key = KeyPair::from_pem(&identity.key).expect("a key");
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("of TLS 1.3");
    let hash = suite
        .common
        .hash_provider
        .hash(&key.subject_public_key_info());
    format!(
        "--ignore-certificate-errors-spki-list={}",
        base64(hash.as_ref())
    )
}

#[test]
fn w7_w8_w73_over_https_the_session_is_kept_and_what_is_blocked_is_reported() {
    let identity = Identity::new();
    let (mut program, _home) = secure::serve(&identity, "");
    let trusting = trusting(&identity);
    let flags = [trusting.as_str(), "--short-reporting-delay"];
    let browser = Browser::with(JavaScript::On, &flags);
    browser.goto(&program.said(
        "create the first account: https://",
        Duration::from_secs(30),
    ));
    assert!(
        browser
            .cookie_names()
            .contains(&"__Host-PreSessionID".to_owned())
    );
    browser.fill("name", "admin");
    browser.fill("password", PASSWORD);
    browser.fill("again", PASSWORD);
    browser.click("form[action=\"/setup\"] button");
    browser.wait_for_text("main", "Hello");
    assert_eq!(browser.cookie_names(), ["__Host-SessionID"]);
    assert_eq!(browser.look("return crossOriginIsolated"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    inject(&browser);
    assert_eq!(browser.look("return window.hacked === undefined"), true);
    let reports = format!("{}/admin/csp-reports", program.url);
    browser.wait("the reports", |b| {
        b.goto(&reports);
        let shown = b.text("table.reports").unwrap_or_default();
        shown.contains("require-trusted-types-for") && shown.contains("https://evil.example")
    });
}
