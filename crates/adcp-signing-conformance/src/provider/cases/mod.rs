//! The cases, by what they look at.

mod faults;
mod identity;
mod keys;
mod pins;
mod signing;
mod stack;

pub(super) use self::identity::Identity;
use super::{
    Case,
    suite::{Run, Stop},
};

pub(super) async fn run(run: &Run<'_>, case: Case) -> Result<(), Stop> {
    match case {
        Case::WireForm => signing::wire_form(run).await,
        Case::SignsAndVerifies => signing::signs_and_verifies(run).await,
        Case::ManySignatures => signing::many_signatures(run).await,
        Case::ConcurrentSigns => signing::concurrent_signs(run).await,
        Case::BaseOf4096 => signing::base_of(run, 4096).await,
        Case::BaseOf4097 => signing::base_of(run, 4097).await,
        Case::LongestBase => signing::longest_base(run).await,
        Case::EmptyBase => signing::empty_base(run).await,
        Case::Identity => identity::identity(run).await,
        Case::PinMatch => pins::pin_match(run).await,
        Case::PinMismatch => pins::pin_mismatch(run).await,
        Case::WrongKeyVersion => pins::wrong_key_version(run).await,
        Case::WrongAlgorithmPinned => pins::wrong_algorithm(run).await,
        Case::RotationWhileSigning => pins::rotation_while_signing(run).await,
        Case::WrongAlgorithm => keys::wrong_algorithm(run).await,
        Case::MissingKey => keys::missing(run).await,
        Case::MissingKeyVersion => keys::missing_version(run).await,
        Case::DisabledKey => keys::disabled(run).await,
        Case::AccessDenied => keys::access_denied(run).await,
        Case::ThrottledWithRetryAfter => faults::throttled(run, Some(faults::RETRY_AFTER)).await,
        Case::ThrottledWithoutRetryAfter => faults::throttled(run, None).await,
        Case::OneRequestPerCall => faults::one_request_per_call(run).await,
        Case::ServiceFailure => faults::service_failure(run).await,
        Case::Timeout => faults::timeout(run).await,
        Case::ConnectionRefused => faults::connection_refused(run).await,
        Case::KilledMidCall => faults::killed_mid_call(run).await,
        Case::RetriedThroughOutage => faults::retried_through_outage(run).await,
        Case::DownAtStart => stack::down_at_start(run).await,
        Case::BoundedQueue => stack::bounded_queue(run).await,
        Case::GarbageReply => faults::garbage_reply(run).await,
        Case::TruncatedReply => faults::truncated_reply(run).await,
        Case::EndlessReply => faults::endless_reply(run).await,
        Case::SlowReply => faults::slow_reply(run).await,
        Case::NoSecretShown => identity::no_secret_shown(run),
    }
}
