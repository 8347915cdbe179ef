//! One entry of `X-Forwarded-For`: an address, perhaps with the port that a proxy saw.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `1.2.3.4`, `1.2.3.4:5`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5`; nothing else. An
/// IPv4 address that is written as mapped IPv6 is given as IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
                return None;
            }
            IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)
        }
        None => match text.split_once(':') {
            // More than one colon: IPv6.
            Some((_, rest)) if rest.contains(':') => IpAddr::V6(text.parse::<Ipv6Addr>().ok()?),
            Some((address, port)) if is_port(port) => IpAddr::V4(address.parse::<Ipv4Addr>().ok()?),
            Some(_) => return None,
            None => IpAddr::V4(text.parse::<Ipv4Addr>().ok()?),
        },
    };
    Some(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_each_way_that_proxies_write_it() {
        for (text, read) in [
            ("1.2.3.4", "1.2.3.4"),
            (" 1.2.3.4\t", "1.2.3.4"),
            ("1.2.3.4:65535", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
            ("::1", "::1"),
        ] {
            let read: IpAddr = read.parse().expect("an address");
            assert_eq!(address(text), Some(read), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_none() {
        for text in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "0x7f.0.0.1",
            "2130706433",
            "1.2.3.4:",
            "1.2.3.4:+80",
            "1.2.3.4:65536",
            "1.2.3.4:80:80",
            "1.2.3.4/8",
            "[1.2.3.4]",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "[]",
            "fe80::1%eth0",
            "\"1.2.3.4\"",
            "for=1.2.3.4",
            "1.2.3.4 5.6.7.8",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
