//! Makes a key pair on a token.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, PublicKey, provider::toolkit::CreatedKey,
};
use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};

use crate::{
    error::Fault,
    key::{self, ED25519, P256},
    selector::KeySelector,
    token::Token,
};

/// The length of a `CKA_ID` that nobody chose.
const ID_LEN: u32 = 16;

/// Makes the key pair that a selector names, and answers with the selector of this very pair.
pub(crate) fn create(
    token: &Token,
    selector: &KeySelector,
    algorithm: Algorithm,
) -> Result<CreatedKey<KeySelector>, Fault> {
    let (mechanism, curves): (_, &[&[u8]]) = match algorithm {
        // Tokens differ in how they want the curve named.
        Algorithm::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, &[ED25519[0], ED25519[1]]),
        Algorithm::EcdsaP256Sha256 => (Mechanism::EccKeyPairGen, &[P256]),
        _ => return Err(CreatedKey::<KeySelector>::not_of_adcp().into()),
    };
    let (context, slot, session) = token.open_session_to_write()?;
    let makes = context.get_mechanism_info(slot, mechanism.mechanism_type());
    if !makes.is_ok_and(|info| info.generate_key_pair()) {
        let message = format!("the token makes no keys of {algorithm}");
        return Err(ProviderError::new(ProviderErrorKind::AlgorithmMismatch, message).into());
    }
    if !is_free(&session, selector)? {
        return Err(CreatedKey::<KeySelector>::exists().into());
    }
    let id = match &selector.id {
        Some(id) => id.clone(),
        None => session.generate_random_vec(ID_LEN)?,
    };
    let named = KeySelector { label: selector.label.clone(), id: Some(id) };
    let (public, private) = generated(&session, &mechanism, curves, &named)?;
    match checked(&session, selector, &named, private, algorithm) {
        Ok(public_key) => Ok(CreatedKey::new(named, public_key)),
        Err(fault) => {
            let removed = [public, private].map(|handle| session.destroy_object(handle).is_ok());
            match removed {
                [true, true] => Err(fault),
                _ => Err(Fault::from(
                    ProviderError::new(
                        ProviderErrorKind::InvalidResponse,
                        "a key pair was made, is not as it should be, and could not be removed; remove the newest \
                         objects of this label",
                    )
                    .with_source(ProviderError::from(fault)),
                )),
            }
        }
    }
}

/// Whether no key has the name yet, of either half.
fn is_free(session: &Session, selector: &KeySelector) -> Result<bool, Fault> {
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        if !session.find_objects(&key::template(class, selector))?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn generated(
    session: &Session,
    mechanism: &Mechanism<'_>,
    curves: &[&[u8]],
    named: &KeySelector,
) -> Result<(ObjectHandle, ObjectHandle), Fault> {
    let names: Vec<_> = key::names(named).collect();
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let private = [&private[..], &names].concat();
    let mut refused = None;
    for curve in curves {
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve.to_vec()),
        ];
        let public = [&public[..], &names].concat();
        match session.generate_key_pair(mechanism, &public, &private) {
            Ok(pair) => return Ok(pair),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.map_or_else(
        || Fault::new(ProviderErrorKind::InvalidResponse, "the token made no key"),
        Fault::from,
    ))
}

/// The public half of a key that has its name alone, and cannot leave the token.
fn checked(
    session: &Session,
    selector: &KeySelector,
    named: &KeySelector,
    private: ObjectHandle,
    algorithm: Algorithm,
) -> Result<PublicKey, Fault> {
    let same_name = session.find_objects(&key::template(ObjectClass::PRIVATE_KEY, selector))?;
    if same_name.as_slice() != [private] {
        return Err(CreatedKey::<KeySelector>::exists().into());
    }
    let types = [AttributeType::Sensitive, AttributeType::Extractable];
    let attributes = session.get_attributes(private, &types)?;
    let is_kept = attributes.contains(&Attribute::Sensitive(true))
        && attributes.contains(&Attribute::Extractable(false));
    if !is_kept {
        return Err(Fault::new(
            ProviderErrorKind::InvalidResponse,
            "the token made a key that can leave it, and it was removed",
        ));
    }
    let found = key::find(session, named)?;
    if found.public_key.algorithm() != algorithm {
        return Err(Fault::new(
            ProviderErrorKind::InvalidResponse,
            "the token made a key of another algorithm, and it was removed",
        ));
    }
    Ok(found.public_key)
}
