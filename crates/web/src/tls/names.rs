//! The names that a certificate is for, and whether a host is among them (RFC 6125, 6.4).

use std::fmt;
use std::net::IpAddr;

use super::der::element;

const DNS: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// More would fill the log.
const SHOWN: usize = 5;

/// Of `subjectAltName`; clients look at nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    hosts: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    /// From what the extension holds; what is no host and no address is left out.
    pub fn of(mut content: &[u8]) -> Self {
        let mut names = Self::default();
        while let Some((tag, name)) = element(&mut content) {
            match (tag, name.len()) {
                (DNS, _) if name.iter().all(u8::is_ascii_graphic) => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    names.hosts.push(name);
                }
                (ADDRESS, 4) => {
                    let name = <[u8; 4]>::try_from(name).map(IpAddr::from);
                    names.addresses.extend(name);
                }
                (ADDRESS, 16) => {
                    let name = <[u8; 16]>::try_from(name).map(IpAddr::from);
                    names.addresses.extend(name);
                }
                _ => {}
            }
        }
        names
    }

    /// Which of these hosts, in small letters, the certificate is not for.
    pub fn missing<'a>(&self, hosts: &'a [String]) -> Vec<&'a str> {
        let hosts = hosts.iter().map(String::as_str);
        hosts.filter(|host| !self.cover(host)).collect()
    }

    fn cover(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        // A star is one whole label, the first.
        let below = host.split_once('.').map(|(_, below)| below);
        self.hosts.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => below == Some(parent),
            None => name == host,
        })
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().cloned();
        let all: Vec<_> = hosts
            .chain(self.addresses.iter().map(IpAddr::to_string))
            .collect();
        let shown: Vec<_> = all.iter().take(SHOWN).map(String::as_str).collect();
        match all.len().saturating_sub(SHOWN) {
            0 if all.is_empty() => f.write_str("no name in `subjectAltName`"),
            0 => f.write_str(&shown.join(", ")),
            more => write!(f, "{} and {more} more", shown.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: &[&str], addresses: &[&str]) -> Names {
        Names {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            addresses: addresses
                .iter()
                .map(|address| address.parse().expect("an address"))
                .collect(),
        }
    }

    #[test]
    fn w2_a_certificate_covers_the_hosts_that_it_names() {
        let names = names(&["a.example", "*.b.example"], &["192.0.2.1", "2001:db8::1"]);
        for (host, is_covered) in [
            ("a.example", true),
            ("x.a.example", false),
            ("b.example", false),
            ("x.b.example", true),
            ("x.y.b.example", false),
            ("example", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8:0::1", true),
            ("[2001:db8::1]", true),
        ] {
            let hosts = [host.to_owned()];
            assert_eq!(names.missing(&hosts).is_empty(), is_covered, "{host}");
        }
    }

    #[test]
    fn many_names_are_cut() {
        assert_eq!(names(&["a"], &["192.0.2.1"]).to_string(), "a, 192.0.2.1");
        let many = names(&["a", "b", "c", "d", "e", "f", "g"], &[]);
        assert_eq!(many.to_string(), "a, b, c, d, e and 2 more");
        assert!(Names::default().to_string().starts_with("no name"));
    }
}
