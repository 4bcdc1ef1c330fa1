//! What a provider says about itself, and what it must not say.

use adcp_signing_core::{KeyPurpose, SigningProvider};

use crate::provider::{
    KeySpec, KeyState,
    suite::{Run, Stop, fail},
};

pub(super) async fn identity(run: &Run<'_>) -> Result<(), Stop> {
    let first = run.provider(KeyState::Ready).await?;
    let before = Identity::of(&*first);
    run.public_key(&first).await?;
    run.sign(&first, b"signature base").await?;
    if Identity::of(&*first) != before {
        fail!("the identity changed in use");
    }
    run.leaks.search_debug("the provider after use", &first);
    run.leaks.search_debug("the key reference", first.key_ref());
    run.leaks.search("Display of the key reference", &first.key_ref().to_string());
    let key = run.public_key(&first).await?;
    if key.algorithm() != first.algorithm() {
        fail!("declared for {}, but the key is for {}", first.algorithm(), key.algorithm());
    }
    let second = run.provider(KeyState::Ready).await?;
    if Identity::of(&*second) != before {
        fail!("a second provider for the same key has another identity");
    }
    if first.key_id().is_empty() {
        fail!("the key id is empty");
    }
    if !first.capability().algorithms.contains(&first.algorithm()) {
        fail!("the capability does not list {}", first.algorithm());
    }
    for purpose in [
        KeyPurpose::RequestSigning,
        KeyPurpose::WebhookSigning,
        KeyPurpose::from("a-later-purpose"),
    ] {
        let spec = KeySpec::new(KeyState::Ready).with_purpose(purpose.clone());
        let provider = run.provider_for(&spec).await?;
        if *provider.purpose() != purpose {
            fail!("configured for `{purpose}`, but says `{}`", provider.purpose());
        }
        if provider.key_ref() != first.key_ref() {
            fail!("the key reference depends on the purpose");
        }
    }
    Ok(())
}

pub(super) fn no_secret_shown(run: &Run<'_>) -> Result<(), Stop> {
    if run.leaks.is_idle() {
        fail!("the harness names no secret to look for, or an empty one");
    }
    let found = run.leaks.found();
    if found.is_empty() { Ok(()) } else { fail!("{}", found.join("; ")) }
}

#[derive(PartialEq)]
pub(in crate::provider) struct Identity {
    key_id: String,
    algorithm: adcp_signing_core::Algorithm,
    purpose: KeyPurpose,
    key_ref: adcp_signing_core::KeyRef,
    capability: adcp_signing_core::provider::Capability,
}

impl Identity {
    pub(in crate::provider) fn of(provider: &dyn SigningProvider) -> Self {
        Self {
            key_id: provider.key_id().to_owned(),
            algorithm: provider.algorithm(),
            purpose: provider.purpose().clone(),
            key_ref: provider.key_ref().clone(),
            capability: provider.capability(),
        }
    }
}
