//! One call at a time, the bare one and the provider's in turn.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::provider::layers::LazyKey;
use serde_json::{Value, json};

use super::{
    BenchError, Service, bare,
    sample::{median, nanoseconds},
    sign,
};

const WARM_UP: usize = 50;
const MOST_PAIRS: usize = 5_000;
const MEASURED_FOR: Duration = Duration::from_secs(6);

/// The medians of both, and of what the provider's call took longer than the bare one beside it.
pub(super) async fn measure(
    service: &Arc<dyn Service>,
    key: &LazyKey,
) -> Result<Value, BenchError> {
    for _ in 0..WARM_UP {
        bare::call(service).await?;
        sign(key).await?;
    }
    let bare = async || {
        let started = Instant::now();
        bare::call(service).await?;
        Ok::<_, BenchError>(nanoseconds(started.elapsed()))
    };
    let ours = async || {
        let started = Instant::now();
        sign(key).await?;
        Ok::<_, BenchError>(nanoseconds(started.elapsed()))
    };
    let (mut bares, mut provider, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    while bares.len() < MOST_PAIRS && begun.elapsed() < MEASURED_FOR {
        // Neither always comes second, into caches that the other warmed.
        let (bare, ours) = if bares.len() % 2 == 0 {
            let bare = bare().await?;
            (bare, ours().await?)
        } else {
            let ours = ours().await?;
            (bare().await?, ours)
        };
        bares.push(bare);
        provider.push(ours);
        differences.push(ours - bare);
    }
    Ok(json!({
        "pairs": bares.len(),
        "bare_ns": median(bares)?,
        "provider_ns": median(provider)?,
        "overhead_ns": median(differences)?,
    }))
}
