#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod answer;
pub mod clock;
#[cfg(feature = "http")]
pub mod http_message;
#[doc(hidden)]
pub mod json;
pub mod keys;
pub mod nonce;
pub mod operation;
pub mod profile;
pub mod provider;
pub mod replay;
pub mod resolver;
pub mod revocation;
pub mod rfc9421;
pub mod rotation;
pub mod sign;
pub mod target_uri;
#[cfg(feature = "metrics")]
pub mod telemetry;
mod text;
pub mod verify;
pub mod webhook;

pub use self::{
    answer::Answer,
    clock::{Clock, FixedClock, SystemClock, UnixSeconds},
    json::StrictJsonError,
    keys::{
        Algorithm, InvalidSignature, Jwk, JwkError, JwkSet, KeyError, KeyPurpose, KeyRef,
        PrivateJwk, PublicKey, Signature, SignatureError,
    },
    nonce::{FixedNonces, Nonce, NonceError, Nonces, RandomNonces},
    operation::{CapabilityError, RequestSigningCapability, Transport},
    profile::{Bounds, ContractVersion, ErrorCode, Profile, Recovery, WireVersion},
    provider::{InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider},
    replay::{InMemoryReplayStore, ReplayStore},
    resolver::{KeyQuery, KeyResolver, ResolveError, StaticKeys, VerificationKey},
    revocation::{InMemoryRevocation, RevocationSource, RevocationStatus},
    rfc9421::{FieldLine, Request},
    sign::{SignError, SignOptions, SignedFields, Signer},
    verify::{
        Context, FallbackCredential, Reason, Rejection, Step, Verified, VerifiedSigner, Verifier,
    },
};
#[cfg(feature = "http")]
pub use self::{
    http_message::{Origin, OriginError},
    verify::VerifiedHttp,
};
