//! `TrustedProxies`: for which URL a request was made, by the word of a proxy that is named.

mod field;

use std::net::{IpAddr, SocketAddr};

use adcp_signing_core::{
    FieldLine,
    http_message::{Origin, OriginError},
};
use ipnet::IpNet;

use self::field::Malformed;
use super::refused::Refused;

/// The address at the other end of a request's connection, as an extension of the request.
///
/// A layer of yours sets it in front of [`VerifyLayer`](crate::VerifyLayer), for servers that say it
/// in no way that this crate knows: the `ConnectInfo<SocketAddr>` of axum and the `peer_addr` of
/// actix-web are found without it. Where it is set, it wins.
///
/// Take it from the connection, or from the PROXY protocol, and never from a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub IpAddr);

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address.ip())
    }
}

/// Proxies whose forwarded header fields are believed: for which host and by which scheme a client
/// made its request.
///
/// A request from an address in one of the networks has to have the field, and scheme and authority
/// in it have to be those of the server's [`BaseUrl`](crate::BaseUrl). They then count in place of
/// `Host`, which the proxy may have rewritten. From any other address, forwarded fields are ignored.
///
/// The value that counts is the one that the proxy wrote: the last, or with
/// [`with_hops`](Self::with_hops) the one that the first of several proxies wrote. A field that comes
/// twice, fields of both styles, and whatever else could be read in two ways are refused with
/// `request_target_uri_malformed`. Let the proxy drop what clients send.
///
/// ```
/// use adcp_signing_http::TrustedProxies;
///
/// let proxies = TrustedProxies::forwarded(["10.0.0.0/8", "fd00::/8"])?.with_hops(2)?;
/// assert!(TrustedProxies::x_forwarded(["10.0.0.1/8"]).is_err());
/// # Ok::<(), adcp_signing_http::TrustedProxiesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    style: Style,
    hops: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `Forwarded` (RFC 7239).
    Standard,
    /// `X-Forwarded-Host` and `X-Forwarded-Proto`.
    X,
}

/// Why proxies cannot be trusted as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedProxiesError {
    /// No network is named, so no proxy would be believed.
    #[error("no network is named; name the addresses of the proxies, such as 10.0.0.0/8")]
    NoNetwork,
    /// A text is neither a network nor an address.
    #[error("`{0}` is neither a network nor an address; write 10.0.0.0/8, fd00::/8 or 10.0.0.1")]
    Network(String),
    /// An address with a prefix that does not hold all of it.
    #[error("{written} is not the start of a network; write {network}, or the address alone")]
    HostBits {
        /// What was written.
        written: IpNet,
        /// The network that has this address.
        network: IpNet,
    },
    /// No proxy at all is believed.
    #[error("hops is 0; give the number of proxies that write the field, at least 1")]
    NoHop,
}

/// Why it cannot be told for which URL a request was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForwardedFault {
    #[error("the proxy sent {0} twice; let it replace what clients send")]
    Twice(&'static str),
    #[error("the proxy sent Forwarded and X-Forwarded-* together; let it drop the other style")]
    BothStyles,
    #[error("the proxy sent X-Forwarded-Host or X-Forwarded-Proto without the other")]
    Half,
    #[error("X-Forwarded-Host and X-Forwarded-Proto have different numbers of values")]
    Uneven,
    #[error("{0} is malformed: {1}")]
    Malformed(&'static str, Malformed),
    #[error("{field} has {values} values, and {hops} proxies write one each")]
    TooFew { field: &'static str, values: usize, hops: usize },
    #[error("Forwarded names no {0}")]
    Without(&'static str),
    #[error("the forwarded scheme is neither http nor https")]
    Scheme,
    #[error("the forwarded host is malformed: {0}")]
    Host(OriginError),
    #[error("the request was made for {forwarded:.300}, and this server is {base}")]
    Elsewhere { forwarded: String, base: String },
}

const NO_PEER: &str = "the address of the peer is not known, so no proxy can be believed: serve with \
                       `into_make_service_with_connect_info::<SocketAddr>()`, or set the extension \
                       `PeerAddress`";
const NO_FIELD: &str = "a trusted proxy sent no forwarded field: let it set the one that \
                        `TrustedProxies` is configured for";

const FORWARDED: &str = "Forwarded";
const X_HOST: &str = "X-Forwarded-Host";
const X_PROTO: &str = "X-Forwarded-Proto";

impl TrustedProxies {
    /// Proxies in these networks that write `Forwarded` (RFC 7239), with `host` and `proto`.
    ///
    /// # Errors
    /// [`TrustedProxiesError`] where a network is not one, or none is named.
    pub fn forwarded<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, TrustedProxiesError> {
        Self::new(networks, Style::Standard)
    }

    /// Proxies in these networks that write `X-Forwarded-Host` and `X-Forwarded-Proto`. The port is
    /// a part of the host; `X-Forwarded-Port` is not read.
    ///
    /// # Errors
    /// [`TrustedProxiesError`] where a network is not one, or none is named.
    pub fn x_forwarded<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, TrustedProxiesError> {
        Self::new(networks, Style::X)
    }

    /// How many proxies stand in a row and write a value each, in place of 1. The value of the first
    /// of them counts. Count only proxies that every request passes.
    ///
    /// # Errors
    /// [`TrustedProxiesError::NoHop`] where it is 0.
    pub fn with_hops(self, hops: usize) -> Result<Self, TrustedProxiesError> {
        if hops == 0 { Err(TrustedProxiesError::NoHop) } else { Ok(Self { hops, ..self }) }
    }

    fn new<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
        style: Style,
    ) -> Result<Self, TrustedProxiesError> {
        let networks: Vec<_> =
            networks.into_iter().map(|text| network(text.as_ref())).collect::<Result<_, _>>()?;
        if networks.is_empty() {
            return Err(TrustedProxiesError::NoNetwork);
        }
        Ok(Self { networks, style, hops: 1 })
    }

    /// Whether the request was made for this origin by the word of a proxy: `false` where no proxy
    /// is to be believed and `Host` counts.
    pub(super) fn attest<'a>(
        &self,
        base: &Origin,
        peer: Option<PeerAddress>,
        fields: impl Iterator<Item = FieldLine<'a>>,
    ) -> Result<bool, Attested> {
        let Some(PeerAddress(peer)) = peer else { return Err(Attested::Misconfigured(NO_PEER)) };
        // An IPv4 address is one on a socket of IPv6 as well.
        let peer = peer.to_canonical();
        if !self.networks.iter().any(|network| network.contains(&peer)) {
            return Ok(false);
        }
        let forwarded = self.forwarded_origin(fields)?;
        if (forwarded.scheme(), forwarded.authority()) != (base.scheme(), base.authority()) {
            let (forwarded, base) = (forwarded.to_string(), base.to_string());
            return Err(ForwardedFault::Elsewhere { forwarded, base }.into());
        }
        Ok(true)
    }

    fn forwarded_origin<'a>(
        &self,
        fields: impl Iterator<Item = FieldLine<'a>>,
    ) -> Result<Origin, Attested> {
        let (mut standard, mut x_host, mut x_proto) = (None, None, None);
        for line in fields {
            let (name, found) = match line.name {
                name if name.eq_ignore_ascii_case(FORWARDED) => (FORWARDED, &mut standard),
                name if name.eq_ignore_ascii_case(X_HOST) => (X_HOST, &mut x_host),
                name if name.eq_ignore_ascii_case(X_PROTO) => (X_PROTO, &mut x_proto),
                _ => continue,
            };
            if found.replace(line.value).is_some() {
                return Err(ForwardedFault::Twice(name).into());
            }
        }
        let (host, proto) = match (self.style, standard, x_host, x_proto) {
            (_, None, None, None) => return Err(Attested::Misconfigured(NO_FIELD)),
            (_, Some(_), Some(_), _) | (_, Some(_), _, Some(_)) => {
                return Err(ForwardedFault::BothStyles.into());
            }
            (Style::Standard, Some(value), None, None) => self.of_standard(value)?,
            (Style::X, None, Some(host), Some(proto)) => self.of_x(host, proto)?,
            (Style::X, None, ..) => return Err(ForwardedFault::Half.into()),
            // The style that is not configured.
            (Style::Standard, None, ..) | (Style::X, Some(_), ..) => {
                return Err(Attested::Misconfigured(NO_FIELD));
            }
        };
        let scheme = match proto {
            proto if proto.eq_ignore_ascii_case("https") => "https",
            proto if proto.eq_ignore_ascii_case("http") => "http",
            _ => return Err(ForwardedFault::Scheme.into()),
        };
        format!("{scheme}://{host}").parse().map_err(|error| ForwardedFault::Host(error).into())
    }

    /// Host and scheme of the element that counts.
    fn of_standard(&self, value: &[u8]) -> Result<(String, String), ForwardedFault> {
        let elements = field::forwarded(value)
            .map_err(|malformed| ForwardedFault::Malformed(FORWARDED, malformed))?;
        let element = self.counting(FORWARDED, elements)?;
        let host = element.host.ok_or(ForwardedFault::Without("host"))?;
        Ok((host, element.proto.ok_or(ForwardedFault::Without("proto"))?))
    }

    fn of_x(&self, host: &[u8], proto: &[u8]) -> Result<(String, String), ForwardedFault> {
        let values = |name, value| {
            field::values(value).map_err(|malformed| ForwardedFault::Malformed(name, malformed))
        };
        let (hosts, protos) = (values(X_HOST, host)?, values(X_PROTO, proto)?);
        // Otherwise the last of each may be of two proxies.
        if hosts.len() != protos.len() {
            return Err(ForwardedFault::Uneven);
        }
        Ok((self.counting(X_HOST, hosts)?, self.counting(X_PROTO, protos)?))
    }

    /// The value that the first of the proxies wrote.
    fn counting<T>(&self, field: &'static str, mut values: Vec<T>) -> Result<T, ForwardedFault> {
        let (length, hops) = (values.len(), self.hops);
        match length.checked_sub(hops) {
            Some(at) => Ok(values.swap_remove(at)),
            None => Err(ForwardedFault::TooFew { field, values: length, hops }),
        }
    }
}

/// Why a proxy's word does not count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attested {
    Misconfigured(&'static str),
    Fault(ForwardedFault),
}

impl From<ForwardedFault> for Attested {
    fn from(fault: ForwardedFault) -> Self {
        Self::Fault(fault)
    }
}

impl Attested {
    /// `code` is that of a target URI that cannot be told.
    pub(super) fn refused(self, code: adcp_signing_core::ErrorCode) -> Refused {
        match self {
            Self::Misconfigured(cure) => Refused::Misconfigured { cure },
            Self::Fault(fault) => Refused::Forwarded { fault, code },
        }
    }
}

fn network(text: &str) -> Result<IpNet, TrustedProxiesError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let shown = || text.chars().filter(|c| !c.is_control()).take(60).collect();
    let written: IpNet = text.parse().map_err(|_| TrustedProxiesError::Network(shown()))?;
    let network = written.trunc();
    if written == network {
        Ok(network)
    } else {
        Err(TrustedProxiesError::HostBits { written, network })
    }
}

#[cfg(test)]
mod tests;
