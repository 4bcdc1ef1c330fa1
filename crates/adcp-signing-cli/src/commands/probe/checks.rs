//! What is looked at besides the signatures: each check says what it saw, or what is wrong and how
//! to mend it.

use adcp_signing::{
    Clock as _, JwkSet, PublicKey, SigningProvider, SystemClock,
    profile::{Profile, PurposeVerdict},
};

use crate::published::Published;

/// Any clock that runs before this program was written is wrong.
const WRITTEN: i64 = 1_790_000_000;
/// How far verifiers let clocks differ, in seconds.
const SKEW: i64 = 60;

/// Whether signatures made by this machine's clock are in time for a verifier.
pub(super) fn clock(published: Option<&Published>) -> Result<String, String> {
    let now = SystemClock.now().as_i64();
    if now < WRITTEN {
        return Err(format!(
            "the clock says {now}, which is in the past: set it, or every signature is refused"
        ));
    }
    let not_compared = |why: &str| Ok(format!("{now}, compared with no other clock: {why}"));
    let served = match published {
        None | Some(Published::File(_)) => return not_compared("give --jwks as a URL for that"),
        Some(Published::Served(Err(_))) => return not_compared("the JWKS could not be fetched"),
        Some(Published::Served(Ok(served))) => served,
    };
    let Some(lead) = served.clock_lead() else {
        return not_compared("the server of the JWKS sent no Date");
    };
    let side = if lead > 0 { "ahead of" } else { "behind" };
    if lead.abs() > SKEW {
        return Err(format!(
            "the clock is {} s {side} that of the JWKS' server, and verifiers allow \
             {SKEW} s: synchronize it (NTP)",
            lead.abs()
        ));
    }
    Ok(match lead {
        0 => format!("{now}, as the JWKS' server has it"),
        _ => format!("{now}, {} s {side} the JWKS' server", lead.abs()),
    })
}

/// Whether keys of this purpose sign messages of the profile.
pub(super) fn purpose(provider: &dyn SigningProvider, profile: &Profile) -> Result<String, String> {
    let purpose = provider.purpose();
    match profile.judge_purpose(purpose) {
        PurposeVerdict::Accepted => Ok(purpose.to_string()),
        PurposeVerdict::Deprecated { advice } => Ok(format!("{purpose}; {advice}")),
        PurposeVerdict::Refused { cure } => {
            Err(format!("the key is for {purpose}, which {profile} does not accept; {cure}"))
        }
    }
}

pub(super) fn algorithm(
    provider: &dyn SigningProvider,
    public: &PublicKey,
) -> Result<String, String> {
    let declared = provider.algorithm();
    if declared == public.algorithm() {
        Ok(declared.to_string())
    } else {
        Err(format!(
            "the provider declares {declared}, the key is for {}: mend alg= in the key URI",
            public.algorithm()
        ))
    }
}

pub(super) fn pin(public: &PublicKey, pinned: &PublicKey) -> Result<String, String> {
    if public == pinned {
        Ok("the service's key is the pinned one".to_owned())
    } else {
        Err(format!(
            "the service's key {} is not the pinned one {}: the key URI names another \
             key, or an alias moved",
            public.thumbprint(),
            pinned.thumbprint()
        ))
    }
}

/// Whether the published JWKS holds this key, under its name, for this use.
pub(super) fn published(
    provider: &dyn SigningProvider,
    profile: &Profile,
    public: &PublicKey,
    set: &JwkSet,
    published: &Published,
) -> Result<String, String> {
    let kid = provider.key_id();
    let mut named = set.with_kid(kid);
    let Some(jwk) = named.next() else {
        return Err(format!(
            "the JWKS has no key named {kid}: publish it before the first signature"
        ));
    };
    if named.next().is_some() {
        return Err(format!("the JWKS has more than one key named {kid}: a kid is unique"));
    }
    if jwk.public_key().is_ok_and(|listed| listed != *public) {
        return Err(format!(
            "the published key named {kid} is another key: publish this one, or sign under its kid"
        ));
    }
    profile.check_registration(jwk).map_err(|error| error.to_string())?;
    if jwk.purpose() != Some(provider.purpose()) {
        return Err(format!(
            "the published JWK is not for {}: mend its adcp_use",
            provider.purpose()
        ));
    }
    let kept = match published {
        Published::Served(Ok(served)) => served.max_age,
        _ => None,
    };
    let kept = kept.map_or_else(String::new, |age| {
        format!("; caches may keep the JWKS for {} s", age.as_secs())
    });
    Ok(format!("{kid} is in the JWKS, for {}{kept}", provider.purpose()))
}
