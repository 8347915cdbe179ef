//! HTTPS by the server itself (rows W2, F12): versions, protocols, certificates good and bad, and
//! their renewal.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use crate::http2::curl;
use crate::program::{self, Home, Program};
use crate::secure::{self, HELLO, Identity, address, get};

/// How long a change may take to be noticed on a busy machine.
const NOTICED: Duration = Duration::from_mins(1);

const EACH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

#[test]
fn w2_tls_1_2_and_1_3_are_spoken() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    for versions in EACH {
        let mut client = identity.client();
        client.versions = versions;
        let text = client
            .ask(address(&program), &get("/login"))
            .expect("served");
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.contains("x-frame-options: DENY"), "{text}");
    }
}

#[test]
fn w2_the_server_chooses_the_cipher_and_not_the_client() {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as SMALL_OF_1_2,
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 as LARGE_OF_1_2, TLS13_AES_128_GCM_SHA256 as SMALL,
        TLS13_AES_256_GCM_SHA384 as LARGE, TLS13_CHACHA20_POLY1305_SHA256 as CHACHA,
    };
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    for (offered, chosen) in [
        (&[SMALL, CHACHA, LARGE][..], LARGE),
        (&[CHACHA, SMALL], SMALL),
        (&[CHACHA], CHACHA),
        (&[SMALL_OF_1_2, LARGE_OF_1_2], LARGE_OF_1_2),
        (&[SMALL_OF_1_2], SMALL_OF_1_2),
    ] {
        let mut client = identity.client();
        client.suites = offered.to_vec();
        let stream = client.connect(address(&program)).expect("a handshake");
        let suite = stream.conn.negotiated_cipher_suite().expect("one");
        assert_eq!(suite.suite(), chosen, "of {offered:?}");
    }
}

/// A `ClientHello` that offers TLS up to this version, in the words of the time before 1.3.
fn hello(version: u8) -> Vec<u8> {
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f];
    // Curves P-256 and P-384, signatures by ECDSA and RSA with SHA-256.
    let extensions = [
        0x00, 0x0a, 0, 6, 0, 4, 0, 23, 0, 24, 0x00, 0x0b, 0, 2, 1, 0, 0x00, 0x0d, 0, 6, 0, 4, 4, 3,
        4, 1,
    ];
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.extend([0, 0, 10]);
    body.extend(suites);
    body.extend([1, 0, 0, 26]);
    body.extend(extensions);
    let size = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
    let mut message = vec![1, 0, 0, size(&body)];
    message.extend(body);
    let mut record = vec![0x16, 3, 1, 0, size(&message)];
    record.extend(message);
    record
}

#[test]
fn w2_tls_1_1_is_refused() {
    let (program, _home) = secure::serve(&Identity::new(), "");
    let said = |version| {
        let mut stream = secure::tcp(address(&program));
        stream.write_all(&hello(version)).expect("sent");
        let mut head = [0; 7];
        std::io::Read::read_exact(&mut stream, &mut head).expect("an answer");
        head
    };
    let [kind, _, _, _, _, level, what] = said(2);
    // Alert, fatal, protocol_version.
    assert_eq!((kind, level, what), (0x15, 2, 70));
    assert_eq!(said(3)[0], 0x16, "1.2 in the same words is taken");
}

#[test]
fn f12_plain_http_to_the_port_of_https_is_told_where_it_is() {
    let identity = Identity::new();
    let (program, _home) = secure::serve(&identity, "");
    let text = secure::ask_plain(address(&program), get("/login").as_bytes());
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(
        text.contains("https://") && text.contains("x-frame-options: DENY"),
        "{text}"
    );
    assert!(identity.client().is_served(address(&program)));
}

#[test]
fn w2_the_setup_link_is_https_and_names_the_public_host() {
    let (mut program, _home) =
        secure::serve(&Identity::new(), "public_host = \"door.example.org\"\n");
    let link = program.said("create the first account: https://", NOTICED);
    let port = address(&program).port();
    assert!(
        link.starts_with(&format!("https://door.example.org:{port}/setup?key=")),
        "{link}"
    );
}

#[test]
fn w2_an_expired_certificate_is_served_and_told() {
    let identity = Identity::of_years(2020, 2021);
    let (program, home) = secure::serve(&identity, "");
    program.until_logged("expired at 2021-01-01T00:00:00.000Z", NOTICED);
    let page = curl(&program, &home, &["-k"], "/login");
    assert!(page.contains("200"), "{page}");
    let error = identity
        .client()
        .connect(address(&program))
        .expect_err("expired");
    assert!(error.to_string().contains("xpired"), "{error}");
    let (program, _home) = secure::serve(&Identity::of_years(2090, 2091), "");
    program.until_logged("is not valid before 2090-01-01", NOTICED);
}

/// Starts a server that must not start; what it said.
fn refused(spoil: impl FnOnce(&Home)) -> String {
    let home = Home::new();
    Identity::new().write(&home);
    spoil(&home);
    let settings = format!("listen = \"127.0.0.1:0\"\n{}", secure::settings(&home));
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    let path = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let words = ["serve", &path(&folder), "--state", &path(&home.state())];
    let output = program::stagedoor(&words, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn w2_a_bad_certificate_or_key_refuses_the_start_and_says_what_to_do() {
    let key = |home: &Home, text: &str, mode| secure::put(&secure::key_path(home), text, mode);
    let certificate =
        |home: &Home, text: &str| secure::put(&secure::certificate_path(home), text, 0o644);
    let said = refused(|home| key(home, &Identity::new().key, 0o600));
    assert!(
        said.contains("does not belong to the first certificate"),
        "{said}"
    );
    let said = refused(|home| key(home, &Identity::new().key, 0o644));
    assert!(
        said.contains("chmod 600") && said.contains("0644"),
        "{said}"
    );
    let unknown = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let said = refused(|home| key(home, unknown, 0o600));
    assert!(said.contains("of a kind that is not spoken"), "{said}");
    let version_1 = include_str!("../../../crates/web/tests/certificates/version-1.pem");
    let said = refused(|home| certificate(home, version_1));
    assert!(
        said.contains("of version 1") && said.contains("subjectAltName"),
        "{said}"
    );
    let short = include_str!("../../../crates/web/tests/certificates/rsa-1024.pem");
    let said = refused(|home| certificate(home, short));
    assert!(
        said.contains("of 1024 bits") && said.contains("-newkey ec"),
        "{said}"
    );
    let said = refused(|home| key(home, "no key\n", 0o600));
    assert!(said.contains("holds no private key"), "{said}");
    let said = refused(|home| certificate(home, "no certificate\n"));
    assert!(said.contains("holds no certificate"), "{said}");
    let spoiled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let said = refused(|home| certificate(home, spoiled));
    assert!(
        said.contains("could not use") && said.contains("tls.pem"),
        "{said}"
    );
    let said = refused(|home| fs::remove_file(secure::key_path(home)).expect("removed"));
    assert!(
        said.contains("could not read") && said.contains("tls.key"),
        "{said}"
    );
    let said = refused(|home| {
        fs::remove_file(secure::key_path(home)).expect("removed");
        fs::create_dir(secure::key_path(home)).expect("made");
    });
    assert!(said.contains("it is not a file"), "{said}");
}

#[test]
fn w2_a_certificate_for_other_names_than_the_public_ones_is_told_at_start_and_at_reload() {
    let more = "public_host = [\"localhost\", \"door.example.org\"]\n";
    let (program, _home) = secure::serve(&Identity::new(), more);
    let words = "is for localhost, and not for door.example.org of `public_host`";
    program.until_logged(words, NOTICED);
    program.hang_up();
    program.until_logged("read the settings again", NOTICED);
    assert_eq!(program.log().matches(words).count(), 2, "{}", program.log());

    let (program, _home) = secure::serve(&Identity::new(), "public_host = \"localhost\"\n");
    assert!(
        !program.log().contains("`public_host`"),
        "{}",
        program.log()
    );
}

#[test]
fn w2_a_key_that_others_read_is_closed_so_that_the_server_still_reads_it() {
    if !program::as_root() {
        return;
    }
    // Of root and a group that others are in, as Debian's `ssl-cert`.
    let said = refused(|home| {
        secure::put(&secure::key_path(home), &Identity::new().key, 0o640);
        std::os::unix::fs::chown(secure::key_path(home), Some(0), Some(4711)).expect("chown");
    });
    assert!(
        said.contains("run: chgrp ") && said.contains(" && chmod 640 "),
        "{said}"
    );
}

#[test]
fn w2_a_key_of_a_stranger_is_refused() {
    if !program::as_root() {
        return;
    }
    let said = refused(|home| {
        std::os::unix::fs::chown(secure::key_path(home), Some(4711), None).expect("chown");
    });
    assert!(
        said.contains("uid 4711") && said.contains("chown"),
        "{said}"
    );
}

#[test]
fn w2_a_new_certificate_is_served_on_hang_up_and_by_itself_and_a_bad_one_is_not() {
    let first = Identity::new();
    let (program, home) = secure::serve(&first, "");
    let address = address(&program);
    assert!(first.client().is_served(address));
    let mut open = first.client().connect(address).expect("served");

    let second = Identity::new();
    second.write(&home);
    program.hang_up();
    program.until_logged("again; new connections get it", NOTICED);
    assert!(second.client().is_served(address));
    assert!(!first.client().is_served(address));

    open.write_all(get("/healthz").as_bytes())
        .expect("still open");
    assert!(secure::rest(&mut open).starts_with("HTTP/1.1 200 "));

    // By itself, and a bad one first.
    secure::put(&secure::key_path(&home), &Identity::new().key, 0o600);
    program.until_logged("the certificate stays as it was", NOTICED);
    assert!(second.client().is_served(address), "the one of before");
    let third = Identity::new();
    third.write(&home);
    for _ in 0..600 {
        if third.client().is_served(address) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(third.client().is_served(address));
    let told = program.log().matches("stays as it was").count();
    assert_eq!(told, 1, "{}", program.log());
}

#[test]
fn w2_a_key_of_roots_alone_works_and_its_renewal_needs_a_start() {
    if !program::as_root() {
        return;
    }
    let home = Home::new();
    let identity = Identity::new();
    identity.write(&home);
    std::os::unix::fs::chown(secure::key_path(&home), Some(0), Some(0)).expect("chown");
    let settings = format!("listen = \"127.0.0.1:0\"\n{}", secure::settings(&home));
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    let program = Program::serve_with(Arc::clone(&home), &folder, &[], "https://");
    program.until_logged("start the server again", NOTICED);
    program.hang_up();
    program.until_logged("the certificate stays as it was", NOTICED);
    assert!(identity.client().is_served(address(&program)));
}
