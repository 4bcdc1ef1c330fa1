//! Why a document could not be fetched.

use std::error::Error as StdError;

use adcp_signing_core::StrictJsonError;

use crate::guard::ReservedAddress;

/// Why a document could not be fetched.
///
/// For the log of whoever fetches, never for the counterparty that named the URL: what differs
/// between these would tell it what the network behind looks like. No message holds a URL, an
/// address or a byte of the document, but for the sanitized names of duplicate members.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The host's name leads to an address that no public server has. Nothing was sent.
    #[error(
        "nothing was fetched: the name of the host leads to a reserved address ({range}); its \
         owner has to correct the DNS records"
    )]
    ReservedAddress {
        /// What the address is reserved for.
        range: &'static str,
    },
    /// The server sent the client elsewhere.
    #[error(
        "the server redirects to a place that this document is not read from; its owner has to \
         publish the final URL"
    )]
    Redirected,
    /// The server sent the client from one place to the next, too often.
    #[error("the server redirects more than {max} times; its owner has to publish the final URL")]
    TooManyRedirects {
        /// How many redirects are followed.
        max: usize,
    },
    /// The server gave another answer than the document.
    #[error("the server answered HTTP {status}; its owner has to publish the document there")]
    Status {
        /// The status.
        status: u16,
    },
    /// The document is larger than what is read of it.
    #[error(
        "the document is larger than {max} bytes, and no more is read; its owner has to split it"
    )]
    TooLarge {
        /// How many bytes are read.
        max: usize,
    },
    /// The document came compressed, though the request asked for it as it is.
    #[error(
        "the document came with a Content-Encoding; its owner has to serve it as it is to clients \
         that ask for `Accept-Encoding: identity`"
    )]
    Encoded,
    /// The document is not strict JSON, or nests too deep.
    #[error("the document is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// The time was over.
    #[error("the document did not come within the time limit")]
    TimedOut,
    /// There was no connection, or it broke off.
    #[error("the server could not be reached, or broke off")]
    Unreachable(#[source] Unreached),
}

/// Why there was no connection, or why it broke off, as the operating system or TLS reports it.
/// Names and addresses are left out.
#[derive(Debug, thiserror::Error)]
#[error("{shown}")]
pub struct Unreached {
    shown: String,
    is_dns: bool,
}

impl Unreached {
    /// The innermost cause, up to the first name in it.
    fn of(error: &reqwest::Error) -> Self {
        let mut innermost: &dyn StdError = error;
        let mut is_dns = false;
        while let Some(cause) = innermost.source() {
            innermost = cause;
            // The connector has no type for it.
            is_dns |= innermost.to_string() == "dns error";
        }
        let text = innermost.to_string();
        let shown = text.split(['"', ';']).next().unwrap_or_default().trim();
        Self { shown: shown.to_owned(), is_dns }
    }

    /// Whether the name of the host could not be resolved.
    pub fn is_dns(&self) -> bool {
        self.is_dns
    }
}

impl FetchError {
    /// Whether the place must not be fetched from, which no repetition changes: the name leads to a
    /// reserved address, or the server to another place.
    pub fn is_untrusted(&self) -> bool {
        matches!(
            self,
            Self::ReservedAddress { .. } | Self::Redirected | Self::TooManyRedirects { .. }
        )
    }

    /// What reqwest reports, without the URL and the address.
    pub(super) fn of_client(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(ReservedAddress { range }) = error.downcast_ref() {
                return Self::ReservedAddress { range };
            }
            cause = error.source();
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        Self::Unreachable(Unreached::of(&error))
    }
}
