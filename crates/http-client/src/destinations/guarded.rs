//! Addresses that no participant has and that attacks ask for: an attacker who can have a server
//! send requests there gets the server's own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A network that requests do not go to unless the configuration names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guarded {
    pub network: IpNet,
    pub what: &'static str,
}

const LINK_LOCAL: &str = "a link-local address, where clouds hand out credentials";
const METADATA: &str = "an address where a cloud hands out credentials";

const GUARDED: [Guarded; 7] = [
    v4([169, 254, 0, 0], 16, LINK_LOCAL),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, LINK_LOCAL),
    // AWS over IPv6, with its neighbours for names, time and containers.
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, METADATA),
    // Google Cloud over IPv6.
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, METADATA),
    // Alibaba Cloud.
    v4([100, 100, 100, 200], 32, METADATA),
    // Azure's host.
    v4([168, 63, 129, 16], 32, METADATA),
    // Oracle Cloud, before it used the link-local address.
    v4([192, 0, 0, 192], 32, METADATA),
];

const fn v4(address: [u8; 4], length: u8, what: &'static str) -> Guarded {
    let [a, b, c, d] = address;
    Guarded { network: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)), what }
}

const fn v6(address: [u16; 8], length: u8, what: &'static str) -> Guarded {
    let mut bits = 0_u128;
    let mut index = 0;
    while index < address.len() {
        bits = (bits << 16) | address[index] as u128;
        index += 1;
    }
    Guarded { network: IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length)), what }
}

/// The guarded network that has this address, also as an IPv4 address within IPv6.
pub(super) fn guarded(address: IpAddr) -> Option<Guarded> {
    let address = address.to_canonical();
    let within = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => within(address).map(IpAddr::from),
    };
    GUARDED.into_iter().find(|guarded| {
        guarded.network.contains(&address) || within.is_some_and(|within| guarded.network.contains(&within))
    })
}

/// The IPv4 address that a gateway sends on to: of NAT64 (RFC 6052), of 6to4 (RFC 3056), and of the
/// compatible form (RFC 4291), which some systems still know.
pub(super) fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let ([0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] | [0, 0, 0, 0, 0, 0, high, low]) =
        address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_guarded_in_every_form() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ] {
            assert!(guarded(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_not() {
        for text in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "169.253.1.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "fe00::1",
            "::",
            "0.0.0.0",
            "8.8.8.8",
            "2001:db8::1",
            "64:ff9b::10.0.0.1",
        ] {
            assert!(guarded(text.parse().unwrap()).is_none(), "{text}");
        }
    }
}
