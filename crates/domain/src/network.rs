//! Networks of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address; an IPv4 one never as mapped IPv6.
    first: IpAddr,
    /// How many bits count; at most 32 or 128.
    bits: u8,
}

/// This is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither an address nor one with a prefix.
    #[error("is not a network")]
    Unreadable,
    /// `10.0.0.1/8` reads as one machine and means 16 million.
    #[error("is an address inside a larger network, {0}")]
    Inside(Network),
}

impl Network {
    /// Whether this address is one of them. An IPv4 address that came as mapped IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.bits) == self.first
    }
}

/// The address with all bits behind the prefix cleared. `bits` may be too many for the family.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(bits))
                .unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(bits))
                .unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Unreadable)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most && !text.contains("/+"))
                .ok_or(BadNetwork::Unreadable)?,
        };
        // A mapped address would never be met: peers are made canonical.
        if address != address.to_canonical() {
            return Err(BadNetwork::Unreadable);
        }
        let network = Self {
            first: masked(address, bits),
            bits,
        };
        if network.first == address {
            Ok(network)
        } else {
            Err(BadNetwork::Inside(network))
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    #[test]
    fn an_address_is_in_the_network_that_it_begins_like() {
        for (within, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "a00::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "8.8.8.8", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(
                network(within).contains(address),
                is_in,
                "{within} {address}"
            );
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for bad in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(BadNetwork::Unreadable), "{bad}");
        }
        let error = "10.0.0.1/8".parse::<Network>().expect_err("inside");
        assert_eq!(
            error.to_string(),
            "is an address inside a larger network, 10.0.0.0/8"
        );
    }
}
