//! What one thread of the pool does: it keeps a session with the key, and signs.

use std::sync::{Arc, OnceLock};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, PublicKey, Signature,
    provider::{Inspection, check_algorithm, toolkit::CreatedKey},
};
use cryptoki::{
    context::Pkcs11,
    error::RvError,
    mechanism::{
        Mechanism, MechanismType,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    session::Session,
    slot::Slot,
    types::Ulong,
};
use sha2::{Digest as _, Sha256, Sha512};

use crate::{
    create,
    error::Fault,
    inspect,
    key::{self, FoundKey},
    pool::{Served, Station},
    selector::KeySelector,
    token::Token,
};

/// RFC 9421 §3.3.1 fixes the length of the salt.
const SALT_LEN: Ulong = Ulong::new(64);

/// What all threads of a provider share.
pub(crate) struct Shared {
    pub(crate) token: Token,
    pub(crate) key: KeySelector,
    /// What the key is declared to be for, where it is.
    pub(crate) algorithm: Option<Algorithm>,
    /// The public key that the first session found: what every later one must find.
    pub(crate) public_key: OnceLock<PublicKey>,
}

/// A call of a provider.
pub(crate) enum Request {
    PublicKey,
    Sign(Vec<u8>),
    Inspect,
    Create(Algorithm),
}

/// The answer to a [`Request`].
pub(crate) enum Answer {
    PublicKey(PublicKey),
    Signature(Signature),
    Inspection(Inspection),
    Created(CreatedKey<KeySelector>),
}

/// A thread's own session with the token, opened on first use and again after a failure.
pub(crate) struct TokenStation {
    shared: Arc<Shared>,
    open: Option<OpenKey>,
}

struct OpenKey {
    session: Session,
    key: FoundKey,
    scheme: Scheme,
}

impl TokenStation {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: None }
    }

    fn attempt(&mut self, request: &Request) -> Result<Answer, Fault> {
        match request {
            Request::PublicKey => Ok(Answer::PublicKey(self.open()?.key.public_key.clone())),
            Request::Sign(message) => self.open()?.sign(message).map(Answer::Signature),
            Request::Inspect => {
                let open = self.open()?;
                inspect::inspect(&open.session, open.key.handle).map(Answer::Inspection)
            }
            Request::Create(algorithm) => {
                let Shared { token, key, .. } = &*self.shared;
                create::create(token, key, *algorithm).map(Answer::Created)
            }
        }
    }

    fn open(&mut self) -> Result<&OpenKey, Fault> {
        Ok(match &mut self.open {
            Some(open) => open,
            closed => closed.insert(OpenKey::open(&self.shared)?),
        })
    }
}

impl Station for TokenStation {
    type Request = Request;
    type Answer = Answer;

    fn serve(&mut self, request: &Request) -> Served<Answer> {
        let had_session = self.open.is_some();
        let mut result = self.attempt(request);
        if had_session && result.as_ref().is_err_and(Fault::is_session_loss) {
            tracing::debug!("the session with the PKCS#11 token was lost; opening another");
            self.open = None;
            result = self.attempt(request);
        }
        match result {
            Ok(answer) => Served::Answered(Ok(answer)),
            Err(fault) => {
                // A session on which something failed may still hold half an operation.
                self.open = None;
                let no_session = fault.is(RvError::SessionCount);
                let error = ProviderError::from(fault);
                if no_session { Served::NoSession(error) } else { Served::Answered(Err(error)) }
            }
        }
    }
}

impl OpenKey {
    fn open(shared: &Shared) -> Result<Self, Fault> {
        let (context, slot, session) = shared.token.open_session()?;
        let key = key::find(&session, &shared.key)
            .map_err(|fault| explain_hidden(fault, &shared.token))?;
        let algorithm = key.public_key.algorithm();
        check_algorithm(algorithm, shared.algorithm)?;
        let scheme = Scheme::of(algorithm, &context, slot)?;
        // PKCS#11 has no key versions, so a key that was replaced under the same label shows here
        // only.
        if *shared.public_key.get_or_init(|| key.public_key.clone()) != key.public_key {
            return Err(Fault::new(
                ProviderErrorKind::PublicKeyMismatch,
                "another key has taken the place of the one that this provider began with; build a new provider with the \
                 new `kid`",
            ));
        }
        Ok(Self { session, key, scheme })
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Fault> {
        let input = self.scheme.input(message);
        let mechanism = self.scheme.mechanism();
        let raw =
            self.session.sign(&mechanism, self.key.handle, input.as_deref().unwrap_or(message))?;
        let algorithm = self.key.public_key.algorithm();
        if raw.len() != self.key.signature_len {
            let message = format!(
                "the token's signature has {} bytes, and this key's have {}; see whether the module is the token's",
                raw.len(),
                self.key.signature_len
            );
            return Err(ProviderError::new(ProviderErrorKind::InvalidResponse, message).into());
        }
        Signature::from_raw(algorithm, &raw).map_err(|error| {
            let message = "the token's signature cannot be one of this key";
            ProviderError::new(ProviderErrorKind::InvalidResponse, message)
                .with_source(error)
                .into()
        })
    }
}

/// Private objects are invisible without a login.
fn explain_hidden(fault: Fault, token: &Token) -> Fault {
    match fault {
        Fault::Ours(error)
            if error.kind() == ProviderErrorKind::KeyNotFound && token.has_no_pin() =>
        {
            Fault::new(
                ProviderErrorKind::KeyNotFound,
                "the token shows no private key with this label and id; without a PIN it may be hiding it: set `pin-source`",
            )
        }
        fault => fault,
    }
}

/// How the token is asked for a signature of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Ed25519,
    /// Over a digest made here: few software tokens have the mechanism that hashes too.
    EcdsaDigest,
    EcdsaSha256,
    PssDigest,
    PssSha512,
}

impl Scheme {
    /// The first that the token has.
    fn of(algorithm: Algorithm, context: &Pkcs11, slot: Slot) -> Result<Self, Fault> {
        let schemes: &[Self] = match algorithm {
            Algorithm::Ed25519 => &[Self::Ed25519],
            Algorithm::EcdsaP256Sha256 => &[Self::EcdsaDigest, Self::EcdsaSha256],
            Algorithm::RsaPssSha512 => &[Self::PssDigest, Self::PssSha512],
            _ => &[],
        };
        for scheme in schemes {
            match context
                .get_mechanism_info(slot, scheme.mechanism().mechanism_type())
                .map_err(Fault::from)
            {
                Ok(info) if info.sign() => return Ok(*scheme),
                Ok(_) => {}
                Err(fault) if fault.is(RvError::MechanismInvalid) => {}
                Err(fault) => return Err(fault),
            }
        }
        let message =
            format!("the token has no mechanism for {algorithm}; make a key of another algorithm");
        Err(ProviderError::new(ProviderErrorKind::AlgorithmMismatch, message).into())
    }

    fn mechanism(self) -> Mechanism<'static> {
        let pss = PkcsPssParams {
            hash_alg: MechanismType::SHA512,
            mgf: PkcsMgfType::MGF1_SHA512,
            s_len: SALT_LEN,
        };
        match self {
            Self::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
            Self::EcdsaDigest => Mechanism::Ecdsa,
            Self::EcdsaSha256 => Mechanism::EcdsaSha256,
            Self::PssDigest => Mechanism::RsaPkcsPss(pss),
            Self::PssSha512 => Mechanism::Sha512RsaPkcsPss(pss),
        }
    }

    /// The digest to sign in place of the message, where the mechanism takes one.
    fn input(self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::EcdsaDigest => Some(Sha256::digest(message).to_vec()),
            Self::PssDigest => Some(Sha512::digest(message).to_vec()),
            Self::Ed25519 | Self::EcdsaSha256 | Self::PssSha512 => None,
        }
    }
}
