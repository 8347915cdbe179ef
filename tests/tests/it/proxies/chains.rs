//! Two proxies in a row, and a proxy that tells of the client before the first request.

use super::running::{Certificate, Proxy};
use super::shipped::Kind;
use super::visitor::Lines;
use super::{ELSEWHERE, HERE, House};
use crate::person::led_to;

const FORGED: &[Lines<'static>] = &[
    &[],
    &[("X-Forwarded-For", "6.6.6.6")],
    &[("X-Forwarded-For", "6.6.6.6, 127.0.0.1, 127.0.0.1")],
    &[("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6")],
    &[
        ("X-Forwarded-Proto", "http"),
        ("CF-Connecting-IP", "6.6.6.6"),
    ],
];

/// Whatever the client says, its session is bound to where it is.
fn tells_the_client(house: &House) {
    for lines in FORGED {
        for from in [HERE, ELSEWHERE] {
            let mut ann = house.visitor().moved(from);
            let answer = ann.sign_in("", "ann", lines);
            assert_eq!(led_to(&answer), "/", "{lines:?}");
            assert!(ann.keeps("__Host-SessionID"), "{:?}", answer.headers);
            assert_eq!(house.addresses().pop(), Some(from.to_string()), "{lines:?}");
        }
    }
}

fn settings(proxy: &str) -> String {
    format!("behind_proxy = true\n[proxy]\ntrusted = [\"127.0.0.1\"]\n{proxy}\n")
}

/// One of them leads to the other over TLS, and that one to the server.
fn haproxy_and_nginx(server: &str, certificate: &Certificate) -> Proxy {
    let nginx = Proxy::start(Kind::Nginx, server, certificate, &[]);
    let next = format!("127.0.0.1:{} ssl verify none sni str(localhost)", nginx.tls);
    Proxy::start(Kind::Haproxy, &next, certificate, &[]).before(nginx)
}

#[test]
fn w3_through_two_proxies_the_client_is_the_true_one() {
    let house = House::with(&settings("hops = 2"), haproxy_and_nginx);
    tells_the_client(&house);
}

#[test]
fn w3_with_fewer_proxies_than_the_settings_say_everything_is_refused() {
    let house = House::with(&settings("hops = 2"), |server, certificate| {
        Proxy::start(Kind::Nginx, server, certificate, &[])
    });
    for lines in FORGED {
        let answer = house.visitor().send("GET", "/login", lines, b"");
        assert_eq!(answer.status, 400, "{lines:?}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains("x-forwarded-for"), "{text}");
    }
}

#[test]
fn w3_a_second_proxy_that_the_settings_do_not_know_is_taken_for_the_client() {
    let house = House::with(&settings("hops = 1"), haproxy_and_nginx);
    let mut ann = house.visitor();
    assert_eq!(led_to(&ann.sign_in("", "ann", FORGED[1])), "/");
    assert_eq!(house.addresses(), ["127.0.0.1"]);
}

#[test]
fn w3_haproxy_tells_of_the_client_by_the_proxy_protocol() {
    let house = House::with(&settings("protocol = true"), |server, certificate| {
        let told = format!("{server} send-proxy-v2-ssl");
        Proxy::start(Kind::Haproxy, &told, certificate, &[])
    });
    tells_the_client(&house);
}
