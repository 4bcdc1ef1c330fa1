//! What a key is for: the JWK member `adcp_use`.

use std::fmt;

macro_rules! purposes {
    (
        $(#[$first_doc:meta])* $first:ident: $first_name:literal;
        $($(#[$doc:meta])* $purpose:ident: $name:literal;)*
    ) => {
        /// The purpose a key is published for, the JWK member `adcp_use` (AdCP security, "Agent key
        /// publication").
        ///
        /// A key has exactly one. Values this crate does not know are kept as
        /// [`Unknown`](Self::Unknown) and accepted by no profile, so a value that a later contract
        /// adds fails closed. [`Profile::judge_purpose`](crate::profile::Profile::judge_purpose)
        /// says which purposes a profile accepts.
        ///
        /// ```
        /// use adcp_signing_core::KeyPurpose;
        ///
        /// assert_eq!(KeyPurpose::from("request-signing"), KeyPurpose::RequestSigning);
        /// assert_eq!(KeyPurpose::from("Request-Signing").as_str(), "Request-Signing"); // unknown
        /// assert_eq!(KeyPurpose::from_known("Request-Signing"), None);
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum KeyPurpose {
            $(#[$first_doc])* $first,
            $($(#[$doc])* $purpose,)*
            /// Any other value, as received.
            Unknown(String),
        }

        impl KeyPurpose {
            /// Every purpose that AdCP defines, in the order of its text.
            pub const KNOWN: &'static [Self] = &[Self::$first, $(Self::$purpose,)*];

            /// The names of [`KNOWN`](Self::KNOWN), for messages that list what may be written.
            pub(crate) const KNOWN_NAMES: &'static str =
                concat!($first_name, $(", ", $name,)*);

            /// The value of the `adcp_use` member.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$purpose => $name,)*
                    Self::Unknown(value) => value,
                }
            }
        }
    };
}

// The one list of purposes: parsing, key URIs, the command line and the docs read it.
purposes! {
    /// `request-signing`: requests and, since contract 3.1.0-rc.15, webhooks.
    RequestSigning: "request-signing";
    /// `webhook-signing`: deprecated since contract 3.1.0-rc.15, still accepted on webhooks.
    WebhookSigning: "webhook-signing";
    /// `response-signing`: payload envelopes (JWS) of designated tasks, never HTTP signatures.
    ResponseSigning: "response-signing";
    /// `governance-signing`: governance tokens (JWS), never HTTP signatures.
    GovernanceSigning: "governance-signing";
    /// `tmp-signing`: Trusted Match Protocol.
    TmpSigning: "tmp-signing";
    /// `attestation-signing`: credentials that an agent issues (contract 3.3), never HTTP
    /// signatures.
    AttestationSigning: "attestation-signing";
}

impl KeyPurpose {
    /// The purpose of this name, where AdCP defines one. Use it for what an operator writes: a
    /// misspelt purpose makes a key that no verifier accepts.
    pub fn from_known(name: &str) -> Option<Self> {
        Self::KNOWN.iter().find(|purpose| purpose.as_str() == name).cloned()
    }
}

impl From<&str> for KeyPurpose {
    fn from(value: &str) -> Self {
        Self::from_known(value).unwrap_or_else(|| Self::Unknown(value.to_owned()))
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_purpose_is_read_back_and_every_other_text_is_unknown() {
        for purpose in KeyPurpose::KNOWN {
            assert_eq!(&KeyPurpose::from(purpose.as_str()), purpose);
            assert_eq!(KeyPurpose::from_known(purpose.as_str()).as_ref(), Some(purpose));
        }
        for text in ["", "Request-Signing", "request-signing ", "signing"] {
            assert_eq!(KeyPurpose::from(text), KeyPurpose::Unknown(text.to_owned()));
            assert_eq!(KeyPurpose::from_known(text), None);
        }
    }

    #[test]
    fn the_names_are_those_of_the_list() {
        let names: Vec<_> = KeyPurpose::KNOWN.iter().map(KeyPurpose::as_str).collect();
        assert_eq!(names.join(", "), KeyPurpose::KNOWN_NAMES);
    }
}
