//! Why a connection failed, in words that name no host.

use std::{error::Error as StdError, fmt, io};

/// How the standard library begins the error of a name that does not resolve.
const LOOKUP: &str = "failed to lookup address information";
/// The longest reason of the resolver that is shown.
const MAX_REASON_LEN: usize = 64;

/// Why a connection failed: the innermost error of the system among the causes of a client's error,
/// to be the source of a [`ProviderError`](crate::ProviderError).
///
/// The errors of HTTP and TLS clients name hosts and addresses, so a backend does not pass them on.
/// This one says only which call of the system failed: a lookup with the resolver's reason, or the
/// kind of an I/O error.
///
/// ```
/// use std::io;
/// use adcp_signing_core::provider::toolkit::NetworkCause;
///
/// let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
/// let cause = NetworkCause::of(&refused).unwrap();
/// assert_eq!(cause.to_string(), "connection refused");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkCause {
    kind: io::ErrorKind,
    /// The resolver's reason, where a name did not resolve.
    lookup: Option<String>,
}

impl NetworkCause {
    /// The cause, unless no error of the system is among the causes of `error`.
    pub fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut innermost = None;
        let mut link = Some(error);
        while let Some(error) = link {
            let io = error.downcast_ref::<io::Error>();
            innermost = io.or(innermost);
            // The source of a wrapping I/O error is that of what it wraps.
            link = match io.and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        innermost.map(Self::of_io)
    }

    fn of_io(error: &io::Error) -> Self {
        let text = error.to_string();
        let reason = text.strip_prefix(LOOKUP).map(|rest| rest.trim_start_matches([':', ' ']));
        let lookup = reason.map(|reason| if is_plain(reason) { reason } else { "" }.to_owned());
        Self { kind: error.kind(), lookup }
    }

    /// The kind of the system's error.
    pub fn io_kind(&self) -> io::ErrorKind {
        self.kind
    }
}

/// The reasons of a resolver are fixed texts.
fn is_plain(reason: &str) -> bool {
    reason.len() <= MAX_REASON_LEN
        && reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -,'".contains(&byte))
}

impl fmt::Display for NetworkCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lookup.as_deref() {
            None => self.kind.fmt(f),
            Some("") => f.write_str(LOOKUP),
            Some(reason) => write!(f, "{LOOKUP}: {reason}"),
        }
    }
}

impl StdError for NetworkCause {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request for url (https://secret.example/)")]
    struct Client(#[source] io::Error);

    #[test]
    fn the_innermost_error_of_the_system_is_told_and_no_host() {
        use io::ErrorKind as Kind;
        let lookup = |reason: &str| io::Error::other(format!("{LOOKUP}: {reason}"));
        for (error, expected) in [
            (Kind::ConnectionRefused.into(), "connection refused"),
            (io::Error::other(io::Error::from(Kind::ConnectionReset)), "connection reset"),
            (io::Error::new(Kind::InvalidData, Client(Kind::TimedOut.into())), "timed out"),
            (io::Error::new(Kind::InvalidData, "not for secret.example"), "invalid data"),
            (lookup("Name or service not known"), &format!("{LOOKUP}: Name or service not known")),
            (lookup("no address for secret.example"), LOOKUP),
            (lookup(&"x".repeat(65)), LOOKUP),
        ] {
            let shown = NetworkCause::of(&Client(error)).unwrap().to_string();
            assert_eq!(shown, expected);
        }
        assert_eq!(NetworkCause::of(&fmt::Error), None);
    }
}
