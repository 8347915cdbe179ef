//! Seven kinds of forged headers through no, one and two proxies: always the true client, or
//! nobody.

use super::*;

const CLIENT: &str = "203.0.113.9";
/// The last proxy, which connects to us, and the one before it.
const NEAR: &str = "127.0.0.1";
const FAR: &str = "10.0.0.2";
const FORGED: &str = "6.6.6.6";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn came_from(peer: &str) -> Arrival {
    Arrival {
        peer: address(peer),
        port: 7373,
        is_secure: false,
    }
}

fn proxies(hops: u8) -> Option<Proxies> {
    let trusted = [NEAR, "10.0.0.0/8"].map(|text| text.parse().expect("a network"));
    Proxies::new(Some(&Proxy {
        hops,
        trusted: trusted.to_vec(),
        protocol: hops == 0,
    }))
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().expect("a name");
        map.append(name, value.parse().expect("a value"));
    }
    map
}

/// The request as the server sees it: what the client sent, then what each proxy appended to it,
/// in the same line as nginx does or in a line of its own as haproxy does.
fn through(hops: u8, sent: &[(&str, &str)], own_line: bool) -> (Arrival, HeaderMap) {
    let mut map = headers(sent);
    let entries: &[&str] = match hops {
        0 => &[],
        1 => &[CLIENT],
        _ => &[CLIENT, FAR],
    };
    for entry in entries {
        if own_line {
            map.append(FORWARDED_FOR, entry.parse().expect("a value"));
            continue;
        }
        let before: Vec<&str> = map
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|value| value.to_str().expect("text"))
            .collect();
        let line = [&before[..], &[*entry]].concat().join(", ");
        map.insert(FORWARDED_FOR, line.parse().expect("a value"));
    }
    let peer = if hops == 0 { CLIENT } else { NEAR };
    (came_from(peer), map)
}

/// Who is taken for the client; none when the request is refused.
fn seen(proxies: Option<&Proxies>, came: Arrival, headers: &HeaderMap) -> Option<IpAddr> {
    let now = Timestamp::from_millis(0);
    match proxies {
        None => Some(came.peer),
        Some(proxies) => proxies
            .arrival(came, headers, "/", now)
            .ok()
            .map(|arrival| arrival.peer),
    }
}

#[test]
fn w3_no_forged_header_is_believed_through_no_one_or_two_proxies() {
    let long = vec![FORGED; MOST_ENTRIES].join(",");
    let forgeries: [&[(&str, &str)]; 12] = [
        // The client as it wants to be seen, one or more, in lines of one or more.
        &[("x-forwarded-for", FORGED)],
        &[("x-forwarded-for", "6.6.6.6, 127.0.0.1")],
        &[
            ("x-forwarded-for", FORGED),
            ("x-forwarded-for", "10.0.0.2, 127.0.0.1"),
        ],
        // What is not an address.
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "")],
        &[("x-forwarded-for", "6.6.6.6,,")],
        // The standard's own header, and those of particular proxies.
        &[("forwarded", "for=6.6.6.6;proto=https")],
        &[("x-real-ip", FORGED), ("x-client-ip", FORGED)],
        &[("cf-connecting-ip", FORGED), ("true-client-ip", FORGED)],
        // Other spellings of the name, other hosts.
        &[("x_forwarded_for", FORGED), ("X-Forwarded-For", FORGED)],
        &[
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded", FORGED),
        ],
        // More than is read.
        &[("x-forwarded-for", &long)],
    ];
    for hops in 0..=2 {
        let proxies = proxies(hops);
        let twin = through(hops, &[], false);
        assert_eq!(
            seen(proxies.as_ref(), twin.0, &twin.1),
            Some(address(CLIENT))
        );
        for (forged, own_line) in forgeries.iter().flat_map(|f| [(f, false), (f, true)]) {
            let (came, headers) = through(hops, forged, own_line);
            let seen = seen(proxies.as_ref(), came, &headers);
            assert!(
                seen.is_none_or(|seen| seen == address(CLIENT)),
                "{forged:?} through {hops}: {seen:?}"
            );
        }
    }
}

#[test]
fn w3_a_forged_entry_before_good_ones_changes_nothing() {
    for (hops, own_line) in [(1, false), (1, true), (2, false), (2, true)] {
        let (came, headers) = through(hops, &[("x-forwarded-for", FORGED)], own_line);
        let seen = seen(proxies(hops).as_ref(), came, &headers);
        assert_eq!(seen, Some(address(CLIENT)), "{hops} {own_line}");
    }
}

#[test]
fn w3_without_enough_good_entries_the_request_is_refused() {
    let long = vec!["1.1.1.1"; MOST_ENTRIES + 1].join(",");
    let wide = format!("{}1.1.1.1", " ".repeat(LONGEST));
    let rows: [(u8, &[&str], Result<&str, Unclear>); 17] = [
        (1, &[], Err(Unclear::TooFew)),
        (1, &["1.1.1.1"], Ok("1.1.1.1")),
        (1, &["[2001:db8::1]:80"], Ok("2001:db8::1")),
        (1, &["1.1.1.1", "2.2.2.2"], Ok("2.2.2.2")),
        (1, &[""], Err(Unclear::NotAnAddress)),
        (1, &["1.1.1.1,"], Err(Unclear::NotAnAddress)),
        (1, &["unknown, 1.1.1.1"], Err(Unclear::NotAnAddress)),
        (1, &["localhost"], Err(Unclear::NotAnAddress)),
        (1, &[&long[8..]], Ok("1.1.1.1")),
        (1, &[&long], Err(Unclear::TooLong)),
        (1, &[&wide], Err(Unclear::TooLong)),
        (2, &["1.1.1.1"], Err(Unclear::Stranger)),
        (2, &["10.0.0.2"], Err(Unclear::TooFew)),
        (2, &["1.1.1.1, 10.0.0.2"], Ok("1.1.1.1")),
        (2, &["1.1.1.1, 2.2.2.2"], Err(Unclear::Stranger)),
        (3, &["1.1.1.1, 10.0.0.3", "10.0.0.2"], Ok("1.1.1.1")),
        (3, &["1.1.1.1, 9.0.0.3", "10.0.0.2"], Err(Unclear::Stranger)),
    ];
    for (hops, lines, expected) in rows {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| ("x-forwarded-for", *line))
            .collect();
        let client = proxies(hops).expect("proxies").client(&headers(&lines));
        assert_eq!(client, expected.map(address), "{hops} {lines:?}");
    }
}

#[test]
fn w3_the_scheme_is_said_in_one_of_two_words_or_is_plain() {
    let rows: [(&[&str], Result<bool, Unclear>); 9] = [
        (&[], Ok(false)),
        (&["http"], Ok(false)),
        (&["https"], Ok(true)),
        (&["https", "https"], Ok(true)),
        (&["https", "http"], Err(Unclear::NoScheme)),
        (&["https, http"], Err(Unclear::NoScheme)),
        (&["HTTPS"], Err(Unclear::NoScheme)),
        (&[""], Err(Unclear::NoScheme)),
        (&["wss"], Err(Unclear::NoScheme)),
    ];
    for (lines, expected) in rows {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| ("x-forwarded-proto", *line))
            .collect();
        assert_eq!(is_https(&headers(&lines)), expected, "{lines:?}");
    }
}

#[test]
fn w3_only_a_trusted_peer_is_listened_to() {
    let proxies = proxies(1).expect("a proxy");
    let said = headers(&[("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https")]);
    let now = Timestamp::from_millis(0);
    let seen = |peer: &str| {
        let arrival = proxies.arrival(came_from(peer), &said, "/", now);
        let arrival = arrival.expect("good headers");
        (arrival.peer, arrival.is_secure)
    };
    assert_eq!(seen(NEAR), (address(CLIENT), true));
    assert_eq!(seen("192.0.2.1"), (address("192.0.2.1"), false));
}

#[test]
fn w3_a_proxy_may_ask_for_itself_whether_the_server_lives_and_nothing_else() {
    let proxies = proxies(1).expect("a proxy");
    let now = Timestamp::from_millis(0);
    for (path, passes) in [
        ("/healthz", true),
        ("/readyz", true),
        ("/", false),
        ("/login", false),
    ] {
        let arrival = proxies.arrival(came_from(NEAR), &HeaderMap::new(), path, now);
        assert_eq!(arrival.is_ok(), passes, "{path}");
    }
}

#[test]
fn w3_where_no_header_is_believed_none_is_read() {
    assert!(Proxies::new(None).is_none());
    assert!(proxies(0).is_none(), "the PROXY protocol alone");
}
