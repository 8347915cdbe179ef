//! Headers whole, cut and spoiled.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

use super::*;

fn header(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
    let length = u16::try_from(behind.len()).expect("short");
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(behind);
    bytes
}

fn tcp4(additions: &[u8]) -> Vec<u8> {
    let mut behind = vec![203, 0, 113, 7, 10, 0, 0, 1, 0x80, 0, 0x1d, 0xcd];
    behind.extend(additions);
    header(0x21, 0x11, &behind)
}

fn tcp6(source: Ipv6Addr) -> Vec<u8> {
    let mut behind = source.octets().to_vec();
    behind.extend([0; 20]);
    header(0x21, 0x21, &behind)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(work)
}

/// What is read of it, and what stands behind what was read.
fn read_whole(mut bytes: &[u8]) -> (Result<Preface, BadPreface>, &[u8]) {
    let read = block_on(read(&mut bytes));
    (read, bytes)
}

fn client_of(bytes: &[u8]) -> (Option<IpAddr>, bool) {
    let preface = read_whole(bytes).0.expect("a header");
    (preface.client, preface.is_secure)
}

#[test]
fn w3_a_header_names_the_client() {
    let v4: IpAddr = "203.0.113.7".parse().expect("an address");
    assert_eq!(client_of(&tcp4(&[])), (Some(v4), false));
    let v6: Ipv6Addr = "2001:db8::7".parse().expect("an address");
    assert_eq!(client_of(&tcp6(v6)), (Some(v6.into()), false));
    let mapped = "::ffff:203.0.113.7".parse().expect("an address");
    assert_eq!(client_of(&tcp6(mapped)), (Some(v4), false));
}

#[test]
fn w3_a_header_without_a_client_keeps_the_proxy() {
    for own in [
        header(0x20, 0x11, &[9; 12]),
        header(0x20, 0x00, &[]),
        header(0x21, 0x00, &[1, 2, 3]),
        header(0x21, 0x31, &[b'x'; 216]),
    ] {
        assert_eq!(client_of(&own), (None, false));
    }
}

#[test]
fn w3_the_client_spoke_tls_if_the_proxy_says_so() {
    let client_cert = [0x20, 0, 5, 0x07, 0, 0, 0, 0];
    assert!(client_of(&tcp4(&client_cert)).1);
    let with_alpn_before = [&[0x01, 0, 2, b'h', b'2'][..], &client_cert].concat();
    assert!(client_of(&tcp4(&with_alpn_before)).1);
    for none in [
        &[][..],
        &[0x20, 0, 5, 0x00, 0, 0, 0, 0],
        &[0x20, 0, 0],
        &[0x04, 0, 1, 0xff],
    ] {
        assert!(!client_of(&tcp4(none)).1, "{none:?}");
    }
}

#[test]
fn w3_what_is_no_header_of_version_2_is_refused() {
    let mut long = tcp4(&[]);
    long[14..16].copy_from_slice(&4097_u16.to_be_bytes());
    long.resize(5000, 0);
    for (bad, word) in [
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), "version 1"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "without"),
        (vec![0x16, 0x03, 0x01, 0, 0], "without"),
        (b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0".to_vec(), "without"),
        (header(0x11, 0x11, &[0; 12]), "version is not 2"),
        (header(0x31, 0x11, &[0; 12]), "version is not 2"),
        (header(0x22, 0x11, &[0; 12]), "command"),
        (header(0x21, 0x12, &[0; 12]), "not of TCP"),
        (header(0x21, 0x11, &[0; 11]), "cut off"),
        (header(0x21, 0x21, &[0; 35]), "cut off"),
        (header(0x21, 0x31, &[0; 215]), "cut off"),
        (tcp4(&[0x20, 0]), "cut off"),
        (tcp4(&[0x20, 0, 9, 1]), "cut off"),
        (long, "4 KiB"),
    ] {
        let error = read_whole(&bad).0.expect_err("refused").to_string();
        assert!(error.contains(word), "{error}");
    }
}

fn some_header() -> impl Strategy<Value = Vec<u8>> {
    let additions = proptest::collection::vec(any::<u8>(), 0..40);
    (any::<[u8; 4]>(), additions).prop_map(|(flip, additions)| {
        let value = u8::try_from(additions.len()).expect("short");
        let mut bytes = tcp4(&[&[flip[0], 0, value], &additions[..]].concat());
        // Now and then something is spoiled.
        if flip[1] < 64 {
            let at = usize::from(flip[2]) % bytes.len();
            bytes[at] = flip[3];
        }
        bytes
    })
}

proptest! {
    #[test]
    fn w3_no_bytes_make_the_parser_fail(fixed: [u8; FIXED], behind in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = length(&fixed);
        let _ = parse(&fixed, &behind);
        let mut signed = fixed;
        signed[..12].copy_from_slice(&SIGNATURE);
        signed[12] = 0x21;
        let _ = parse(&signed, &behind);
    }

    #[test]
    fn w3_how_a_header_is_split_changes_nothing(header in some_header(), size in 1_usize..50) {
        let behind = b"GET / HTTP/1.1";
        let bytes = [&header[..], behind].concat();
        let (whole, rest) = read_whole(&bytes);
        let split = block_on(async {
            let (mut client, mut server) = tokio::io::duplex(size);
            let sent = bytes.clone();
            let sender = async move {
                for piece in sent.chunks(size) {
                    let _ = client.write_all(piece).await;
                    tokio::task::yield_now().await;
                }
            };
            let (read, ()) = tokio::join!(async move {
                let read = read(&mut server).await;
                let mut left = Vec::new();
                let _ = server.read_to_end(&mut left).await;
                (read, left)
            }, sender);
            read
        });
        prop_assert_eq!(whole.as_ref().ok(), split.0.as_ref().ok());
        if whole.is_ok() {
            // One that is spoiled may say that it is shorter.
            prop_assert!(rest.ends_with(behind));
            prop_assert_eq!(rest, split.1);
        }
    }
}
