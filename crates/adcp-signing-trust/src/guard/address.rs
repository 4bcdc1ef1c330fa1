//! Which IP addresses a counterparty's name may lead to: those that are globally reachable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ranges of IPv4 that no public server has (IANA IPv4 special-purpose registry).
const RESERVED_V4: [([u8; 4], u8, &str); 16] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private use"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local, where clouds serve instance metadata"),
    ([172, 16, 0, 0], 12, "private use"),
    ([192, 0, 0, 0], 24, "IETF protocols"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "6to4 relays"),
    ([192, 168, 0, 0], 16, "private use"),
    ([198, 18, 0, 0], 15, "benchmarks"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    // Public by registration, and answered by the host agent inside every Azure machine.
    ([168, 63, 129, 16], 32, "the platform address of Azure"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved or broadcast"),
];

/// The ranges of IPv6 that no public server has (IANA IPv6 special-purpose registry). They come
/// before the rule that only `2000::/3` is public.
const RESERVED_V6: [([u16; 8], u8, &str); 14] = [
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4 mapped into IPv6"),
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4 translated into IPv6"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4 written as IPv6"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local translation of IPv4"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "IETF protocols, Teredo among them"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4, which carries an IPv4 address"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// The well-known prefix of NAT64 (RFC 6052), under which DNS64 gives every IPv4 host.
const NAT64: ([u16; 8], u8) = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
/// What IANA gives out for global unicast.
const GLOBAL_UNICAST: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What an address is reserved for, where it is reserved: no URL of a counterparty may lead there.
///
/// IPv6 addresses that carry an IPv4 address (mapped, translated, 6to4, Teredo) are reserved
/// whatever they carry, but for those of NAT64, which are judged by the IPv4 address.
///
/// ```
/// use adcp_signing_trust::guard::reserved;
///
/// assert_eq!(reserved("8.8.8.8".parse()?), None);
/// assert_eq!(reserved("10.0.0.1".parse()?), Some("private use"));
/// assert_eq!(reserved("::ffff:8.8.8.8".parse()?), Some("IPv4 mapped into IPv6"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    let found = RESERVED_V4.iter().find(|(network, length, _)| {
        let network = u32::from_be_bytes(*network);
        same_prefix(u128::from(u32::from(address)), u128::from(network), 32, *length)
    });
    found.map(|(_, _, name)| *name)
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |network: [u16; 8], length| {
        same_prefix(u128::from(address), u128::from(Ipv6Addr::from(network)), 128, length)
    };
    if within(NAT64.0, NAT64.1) {
        let [.., a, b, c, d] = address.octets();
        return reserved_v4(Ipv4Addr::new(a, b, c, d));
    }
    let found = RESERVED_V6.iter().find(|(network, length, _)| within(*network, *length));
    if let Some((_, _, name)) = found {
        return Some(name);
    }
    (!within(GLOBAL_UNICAST.0, GLOBAL_UNICAST.1)).then_some("not global unicast")
}

/// Whether the first `length` of `width` bits are equal.
fn same_prefix(left: u128, right: u128, width: u8, length: u8) -> bool {
    let rest = u32::from(width.saturating_sub(length));
    left.checked_shr(rest) == right.checked_shr(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_address_of_each_range_are_reserved_and_their_neighbors_are_not() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
        ] {
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            for address in [first, last] {
                assert!(reserved(address.into()).is_some(), "{address}");
            }
            let before = u32::from(first).checked_sub(1).map(Ipv4Addr::from);
            let after = u32::from(last).checked_add(1).map(Ipv4Addr::from);
            let neighbors = before.into_iter().chain(after);
            // Multicast borders on what is reserved after it.
            for neighbor in neighbors.filter(|address| address.octets()[0] < 223) {
                assert_eq!(reserved(neighbor.into()), None, "{neighbor}");
            }
        }
    }

    #[test]
    fn ipv6_is_public_in_global_unicast_alone_and_never_by_what_carries_a_reserved_ipv4() {
        for (address, name) in [
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "IPv4 written as IPv6"),
            ("::ffff:127.0.0.1", "IPv4 mapped"),
            ("::ffff:8.8.8.8", "IPv4 mapped"),
            ("::ffff:0:127.0.0.1", "IPv4 translated"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "link-local"),
            ("64:ff9b:1::808:808", "local translation"),
            ("100::1", "discarded"),
            ("2001::1", "IETF protocols"),
            ("2001:1ff::1", "IETF protocols"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("3fff:fff::1", "documentation"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "not global unicast"),
            ("ff02::1", "multicast"),
            ("5f00::1", "not global unicast"),
            ("4000::1", "not global unicast"),
        ] {
            let found = reserved(IpAddr::V6(address.parse().unwrap()));
            assert!(found.is_some_and(|found| found.starts_with(name)), "{address}: {found:?}");
        }
        for address in ["2001:4860:4860::8888", "2606:4700::1111", "2400::1", "64:ff9b::808:808"] {
            assert_eq!(reserved(IpAddr::V6(address.parse().unwrap())), None, "{address}");
        }
    }
}
