//! What is looked at besides the signatures: each check says what it saw, or what is wrong and how
//! to mend it.

use adcp_signing::{
    Clock as _, JwkSet, KeyWarning, PublicKey, SigningProvider, SystemClock,
    profile::{Profile, PurposeVerdict},
    provider::{Observation, toolkit::LocalKeyUri},
};

use super::report::Finding;
use crate::{keys::Access, published::Published, time::utc};

/// Any clock that runs before this program was written is wrong.
const WRITTEN: i64 = 1_790_000_000;
/// How far verifiers let clocks differ, in seconds.
const SKEW: i64 = 60;

/// Whether signatures made by this machine's clock are in time for a verifier.
pub(super) fn clock(published: Option<&Published>) -> Finding {
    let now = SystemClock.now();
    let shown = utc(now);
    if now.as_i64() < WRITTEN {
        return Finding::failed(
            "clock_in_the_past",
            format!("the clock says {shown}: set it, or every signature is refused"),
        );
    }
    let not_compared =
        |code, why: &str| Finding::not_checked(code, format!("{why}; here it is {shown}"));
    let served = match published {
        None | Some(Published::File(_)) => {
            return not_compared("no_jwks_url", "give --jwks as a URL, whose server has a clock");
        }
        Some(Published::Served(Err(_))) => {
            return not_compared("jwks_unavailable", "the JWKS could not be fetched");
        }
        Some(Published::Served(Ok(served))) => served,
    };
    let Some(lead) = served.clock_lead() else {
        return not_compared("no_date", "the server of the JWKS sent no Date");
    };
    let side = if lead > 0 { "ahead of" } else { "behind" };
    if lead.abs() > SKEW {
        return Finding::failed(
            "clock_skew",
            format!(
                "the clock says {shown}, which is {} s {side} that of the JWKS' server, and \
                 verifiers allow {SKEW} s: synchronize it (NTP)",
                lead.abs()
            ),
        );
    }
    Finding::passed(match lead {
        0 => format!("{shown}, as the JWKS' server has it"),
        _ => format!("{shown}, {} s {side} the JWKS' server", lead.abs()),
    })
}

/// Whether the URI names one key for good, in a key service.
pub(super) fn key_uri(uri: &str, access: &Access) -> Finding {
    if LocalKeyUri::has_scheme(uri) {
        return Finding::warning(
            "key_in_process",
            "the key is held in this process, which is for development and tests",
        );
    }
    match access.warnings(uri) {
        None => Finding::not_checked(
            "not_read",
            "the key URI cannot be read, or its backend is not in this build",
        ),
        Some(warnings) => match warnings.first() {
            None => Finding::passed("names one key for good"),
            Some(warning @ KeyWarning::KidCanMove { .. }) => {
                Finding::warning("kid_can_move", warning.to_string())
            }
            Some(warning) => Finding::warning("key_can_move", warning.to_string()),
        },
    }
}

/// Whether keys of this purpose sign messages of the profile.
pub(super) fn purpose(provider: &dyn SigningProvider, profile: &Profile) -> Finding {
    let purpose = provider.purpose();
    match profile.judge_purpose(purpose) {
        PurposeVerdict::Accepted => Finding::passed(purpose.to_string()),
        PurposeVerdict::Deprecated { advice } => {
            Finding::warning("purpose_deprecated", format!("{purpose} is deprecated; {advice}"))
        }
        PurposeVerdict::Refused { cure } => Finding::failed(
            "purpose_refused",
            format!("the key is for {purpose}, which {profile} does not accept; {cure}"),
        ),
    }
}

pub(super) fn algorithm(provider: &dyn SigningProvider, public: &PublicKey) -> Finding {
    let declared = provider.algorithm();
    if declared == public.algorithm() {
        Finding::passed(declared.to_string())
    } else {
        Finding::failed(
            "algorithm_mismatch",
            format!(
                "the provider declares {declared}, the key is for {}: mend alg= in the key URI",
                public.algorithm()
            ),
        )
    }
}

pub(super) fn pin(public: &PublicKey, pinned: &PublicKey) -> Finding {
    if public == pinned {
        Finding::passed("the service's key is the pinned one")
    } else {
        Finding::failed(
            "pin_mismatch",
            format!(
                "the service's key {} is not the pinned one {}: the key URI names another key, or \
                 an alias moved",
                public.thumbprint(),
                pinned.thumbprint()
            ),
        )
    }
}

/// What the service shows about how it keeps the key.
pub(super) fn observed(observation: &Observation) -> Finding {
    let message = observation.message().to_owned();
    match observation {
        Observation::Good(_) => Finding::passed(message),
        Observation::Concern { concern, .. } => Finding::warning(concern.as_str(), message),
        _ => Finding::not_checked(observation.code(), message),
    }
}

/// Whether the published JWKS holds this key, under its name, for this use.
pub(super) fn published(
    provider: &dyn SigningProvider,
    profile: &Profile,
    public: &PublicKey,
    set: &JwkSet,
    published: &Published,
) -> Finding {
    let kid = provider.key_id();
    let mut named = set.with_kid(kid);
    let Some(jwk) = named.next() else {
        return Finding::failed(
            "kid_not_published",
            format!("the JWKS has no key named {kid}: publish it before the first signature"),
        );
    };
    if named.next().is_some() {
        return Finding::failed(
            "kid_not_unique",
            format!("the JWKS has more than one key named {kid}: a kid is unique"),
        );
    }
    if jwk.public_key().is_ok_and(|listed| listed != *public) {
        return Finding::failed(
            "published_key_differs",
            format!(
                "the published key named {kid} is another key: publish this one, or sign under \
                 its kid"
            ),
        );
    }
    if let Err(error) = profile.check_registration(jwk) {
        return Finding::failed("published_key_invalid", error.to_string());
    }
    if jwk.purpose() != Some(provider.purpose()) {
        return Finding::failed(
            "published_purpose_differs",
            format!("the published JWK is not for {}: mend its adcp_use", provider.purpose()),
        );
    }
    let kept = match published {
        Published::Served(Ok(served)) => served.max_age,
        _ => None,
    };
    let kept = kept.map_or_else(String::new, |age| {
        format!("; caches may keep the JWKS for {} s", age.as_secs())
    });
    Finding::passed(format!("{kid} is in the JWKS, for {}{kept}", provider.purpose()))
}
