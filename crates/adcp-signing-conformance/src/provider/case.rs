//! The cases of the suite, by name.

use std::fmt;

/// One thing that the suite asks of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Case {
    /// Signatures have the algorithm's wire form: 64 bytes of r‖s or Ed25519, the modulus' length
    /// for RSA; never DER.
    WireForm,
    /// A signature verifies under the service's public key, by core and by another implementation.
    SignsAndVerifies,
    /// Many signatures over random bases all verify: catches what goes wrong once in 128 times,
    /// such as a lost leading zero of r or s.
    ManySignatures,
    /// Key id, algorithm, purpose, key reference and capability are as asked for, and never change.
    Identity,
    /// Pinned to its own key, the provider signs.
    PinMatch,
    /// Pinned to another key, the provider refuses to sign and to hand out its key.
    PinMismatch,
    /// Pinned to another version of the key, the provider refuses to sign.
    WrongKeyVersion,
    /// Many concurrent first signatures fetch the public key once and have the service prepared
    /// once, and none is mixed up with another.
    ConcurrentSigns,
    /// A base of 4,096 bytes.
    BaseOf4096,
    /// A base of 4,097 bytes.
    BaseOf4097,
    /// The longest base of the capability is signed, one byte more is refused before it reaches the
    /// service.
    LongestBase,
    /// An empty base is signed well or refused for good.
    EmptyBase,
    /// A key of another algorithm than the declared one signs nothing.
    WrongAlgorithm,
    /// A key of another algorithm than the declared one is caught by the pin before anything is
    /// signed.
    WrongAlgorithmPinned,
    /// A key that does not exist.
    MissingKey,
    /// A version of a key that does not exist.
    MissingKeyVersion,
    /// A key that is disabled.
    DisabledKey,
    /// A key that the credentials may not use.
    AccessDenied,
    /// While the key rotates, every signature is by the pinned key or refused.
    RotationWhileSigning,
    /// The service turns a call away for its rate, and says when to come back.
    ThrottledWithRetryAfter,
    /// The service turns a call away for its rate, and does not say when to come back.
    ThrottledWithoutRetryAfter,
    /// A call is one request: the client's own retries are off.
    OneRequestPerCall,
    /// The service answers that it failed.
    ServiceFailure,
    /// The service does not answer. The call can be dropped at the deadline.
    Timeout,
    /// Nothing listens at the service's address.
    ConnectionRefused,
    /// The service goes away in the middle of a call, and comes back.
    KilledMidCall,
    /// With retries around the provider, a signature outlasts an outage.
    RetriedThroughOutage,
    /// A process starts while the service is away: its callers queue, and all are served.
    DownAtStart,
    /// A service that hangs has as many calls as its queue holds; more are refused at once, and
    /// calls that are dropped in flight leave nothing behind.
    BoundedQueue,
    /// The service answers what it never would.
    GarbageReply,
    /// The service's answer ends too soon.
    TruncatedReply,
    /// The service's answer never ends: it is given up, by length or by time.
    EndlessReply,
    /// The service's answer comes so slowly that it is not whole in time.
    SlowReply,
    /// None of the harness' secrets showed anywhere: `Debug`, `Display`, error chains, `tracing`
    /// output. Judged last, over everything that the other cases brought about.
    NoSecretShown,
}

impl Case {
    /// Every case, in the order in which they run.
    pub const ALL: [Self; 34] = [
        Self::WireForm,
        Self::SignsAndVerifies,
        Self::ManySignatures,
        Self::Identity,
        Self::PinMatch,
        Self::PinMismatch,
        Self::WrongKeyVersion,
        Self::ConcurrentSigns,
        Self::BaseOf4096,
        Self::BaseOf4097,
        Self::LongestBase,
        Self::EmptyBase,
        Self::WrongAlgorithm,
        Self::WrongAlgorithmPinned,
        Self::MissingKey,
        Self::MissingKeyVersion,
        Self::DisabledKey,
        Self::AccessDenied,
        Self::RotationWhileSigning,
        Self::ThrottledWithRetryAfter,
        Self::ThrottledWithoutRetryAfter,
        Self::OneRequestPerCall,
        Self::ServiceFailure,
        Self::Timeout,
        Self::ConnectionRefused,
        Self::KilledMidCall,
        Self::RetriedThroughOutage,
        Self::DownAtStart,
        Self::BoundedQueue,
        Self::GarbageReply,
        Self::TruncatedReply,
        Self::EndlessReply,
        Self::SlowReply,
        Self::NoSecretShown,
    ];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WireForm => "wire-form",
            Self::SignsAndVerifies => "signs-and-verifies",
            Self::ManySignatures => "many-signatures",
            Self::Identity => "identity",
            Self::PinMatch => "pin-match",
            Self::PinMismatch => "pin-mismatch",
            Self::WrongKeyVersion => "wrong-key-version",
            Self::ConcurrentSigns => "concurrent-signs",
            Self::BaseOf4096 => "base-of-4096-bytes",
            Self::BaseOf4097 => "base-of-4097-bytes",
            Self::LongestBase => "longest-base",
            Self::EmptyBase => "empty-base",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::WrongAlgorithmPinned => "wrong-algorithm-pinned",
            Self::MissingKey => "missing-key",
            Self::MissingKeyVersion => "missing-key-version",
            Self::DisabledKey => "disabled-key",
            Self::AccessDenied => "access-denied",
            Self::RotationWhileSigning => "rotation-while-signing",
            Self::ThrottledWithRetryAfter => "throttled-with-retry-after",
            Self::ThrottledWithoutRetryAfter => "throttled-without-retry-after",
            Self::OneRequestPerCall => "one-request-per-call",
            Self::ServiceFailure => "service-failure",
            Self::Timeout => "timeout",
            Self::ConnectionRefused => "connection-refused",
            Self::KilledMidCall => "killed-mid-call",
            Self::RetriedThroughOutage => "retried-through-outage",
            Self::DownAtStart => "down-at-start",
            Self::BoundedQueue => "bounded-queue",
            Self::GarbageReply => "garbage-reply",
            Self::TruncatedReply => "truncated-reply",
            Self::EndlessReply => "endless-reply",
            Self::SlowReply => "slow-reply",
            Self::NoSecretShown => "no-secret-shown",
        }
    }

    /// Whether the case needs nothing but a working key, so that no harness can call it not
    /// applicable.
    pub const fn is_required(self) -> bool {
        matches!(
            self,
            Self::WireForm
                | Self::SignsAndVerifies
                | Self::ManySignatures
                | Self::Identity
                | Self::PinMatch
                | Self::PinMismatch
                | Self::ConcurrentSigns
                | Self::BaseOf4096
                | Self::BaseOf4097
                | Self::EmptyBase
                | Self::NoSecretShown
        )
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
