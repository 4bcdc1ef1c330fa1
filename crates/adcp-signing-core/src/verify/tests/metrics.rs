//! What is counted, and that the page for operators lists it.

use super::support::{Scene, key, listed};
use crate::{
    operation::List,
    provider::metered::{Meter, documented},
    verify::{FallbackCredential, Step},
};

fn measured(scenes: impl FnOnce()) -> Meter {
    let meter = Meter::default();
    metrics::with_local_recorder(&meter, scenes);
    meter
}

#[test]
fn each_message_is_counted_once_by_what_became_of_it() {
    let open = Scene { capability: listed(None), ..Scene::default() };
    let shadowed = Scene {
        capability: listed(Some(List::Warn)),
        fallback: FallbackCredential::Valid,
        ..Scene::with([Step::Signature])
    };
    let meter = measured(|| {
        assert!(Scene::default().verify().is_ok());
        assert!(Scene::with([Step::Window]).verify().is_err());
        assert!(shadowed.verify().is_ok());
        let anonymous = open.verify_message(&key(), &[], b"{}").unwrap();
        assert!(anonymous.signer().is_err());
    });
    let expected = [
        ("adcp_verify_duration_seconds outcome=anonymous", 1),
        ("adcp_verify_duration_seconds outcome=fallback", 1),
        ("adcp_verify_duration_seconds outcome=refused", 1),
        ("adcp_verify_duration_seconds outcome=signed", 1),
        ("adcp_verify_total outcome=anonymous code=none step=none", 1),
        ("adcp_verify_total outcome=fallback code=none step=none", 1),
        // The handler that asked for a signer.
        ("adcp_verify_total outcome=refused code=request_signature_required step=0", 1),
        ("adcp_verify_total outcome=refused code=request_signature_window_invalid step=5", 1),
        ("adcp_verify_total outcome=signed code=none step=none", 1),
    ];
    assert_eq!(meter.counts(), expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn a_refusal_by_the_head_is_counted_and_not_timed() {
    let meter = measured(|| {
        assert!(Scene::with([Step::Key]).signed_head().is_err());
        assert!(Scene::default().signed_head().is_ok());
    });
    let refused = "adcp_verify_total outcome=refused code=request_signature_key_unknown step=7";
    assert_eq!(meter.counts(), [(refused.to_owned(), 1)]);
}

#[test]
fn the_metrics_are_those_of_the_operations_page() {
    let meter = measured(|| {
        assert!(Scene::default().verify().is_ok());
    });
    assert_eq!(documented("adcp_verify_"), meter.names_and_labels());
}
