//! Many calls in flight, the bare ones and the provider's in turn.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::{SigningProvider, provider::layers::LazyKey};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    BenchError, IN_FLIGHT, MESSAGE, Service, bare,
    sample::{median, nanoseconds, quantile},
    sign,
};

const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_millis(1_000);

/// What is called.
#[derive(Clone)]
enum Contestant {
    Bare(Arc<dyn Service>),
    Unchecked(Arc<dyn SigningProvider>),
    Default(Arc<LazyKey>),
}

impl Contestant {
    async fn call(&self) -> Result<(), BenchError> {
        match self {
            Self::Bare(service) => bare::call(service).await,
            Self::Unchecked(provider) => Ok(provider.sign(&MESSAGE).await.map(drop)?),
            Self::Default(key) => sign(key).await.map(drop),
        }
    }

    /// Calls for one turn.
    async fn turn(&self) -> Result<Turn, BenchError> {
        let (begun, cpu) = (Instant::now(), cpu());
        let mut callers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let contestant = self.clone();
            callers.spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < TURN {
                    let started = Instant::now();
                    contestant.call().await?;
                    latencies.push(nanoseconds(started.elapsed()));
                    // Where a call never waits, the others would never have their turn.
                    tokio::task::yield_now().await;
                }
                Ok::<_, BenchError>(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(caller) = callers.join_next().await {
            latencies.extend(caller??);
        }
        let calls = latencies.len() as f64;
        let (took, cpu) =
            (begun.elapsed().as_secs_f64(), nanoseconds(self::cpu().saturating_sub(cpu)));
        Ok(Turn { per_second: calls / took, cpu_each: cpu / calls, latencies })
    }
}

/// What came of a turn.
struct Turn {
    per_second: f64,
    cpu_each: f64,
    latencies: Vec<f64>,
}

/// The CPU time of this process so far, which tells what calls cost even on a machine that others
/// load.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// What one contestant came to, a rate a round.
struct Lane {
    contestant: Contestant,
    rates: Vec<f64>,
    cpu: Vec<f64>,
    latencies: Vec<f64>,
}

impl Lane {
    /// Its connections are opened before anything counts.
    async fn warm(contestant: Contestant) -> Result<Self, BenchError> {
        contestant.turn().await?;
        Ok(Self { contestant, rates: Vec::new(), cpu: Vec::new(), latencies: Vec::new() })
    }

    async fn turn(&mut self) -> Result<(), BenchError> {
        let turn = self.contestant.turn().await?;
        self.rates.push(turn.per_second);
        self.cpu.push(turn.cpu_each);
        self.latencies.extend(turn.latencies);
        Ok(())
    }

    /// The median of the ratios to another one, each within a round.
    fn ratio_to(&self, other: &Self) -> Result<f64, BenchError> {
        median(self.rates.iter().zip(&other.rates).map(|(ours, theirs)| ours / theirs).collect())
    }

    fn rate(&self) -> Result<f64, BenchError> {
        median(self.rates.clone())
    }

    fn cpu(&self) -> Result<f64, BenchError> {
        median(self.cpu.clone())
    }

    fn latency(&self, part: f64) -> Result<f64, BenchError> {
        quantile(self.latencies.clone(), part)
    }
}

/// Medians of the rates, and of the ratios within a round; latencies with so many in flight.
pub(super) async fn measure(
    service: &Arc<dyn Service>,
    unchecked: &Arc<dyn SigningProvider>,
    default: &Arc<LazyKey>,
) -> Result<Value, BenchError> {
    let mut lanes = [
        Lane::warm(Contestant::Bare(Arc::clone(service))).await?,
        Lane::warm(Contestant::Unchecked(Arc::clone(unchecked))).await?,
        Lane::warm(Contestant::Default(Arc::clone(default))).await?,
    ];
    for round in 0..ROUNDS {
        // None always comes first.
        let first = round % lanes.len();
        let (before, from) = lanes.split_at_mut(first);
        for lane in from.iter_mut().chain(before) {
            lane.turn().await?;
        }
    }
    let [bare, unchecked, checked] = &lanes;
    Ok(json!({
        "in_flight": IN_FLIGHT,
        "bare_per_s": bare.rate()?,
        "unchecked_per_s": unchecked.rate()?,
        "checked_per_s": checked.rate()?,
        "unchecked_to_bare": unchecked.ratio_to(bare)?,
        "checked_to_unchecked": checked.ratio_to(unchecked)?,
        "bare_cpu_ns": bare.cpu()?,
        "unchecked_cpu_ns": unchecked.cpu()?,
        "checked_cpu_ns": checked.cpu()?,
        "bare_p50_ns": bare.latency(0.5)?,
        "bare_p99_ns": bare.latency(0.99)?,
        "unchecked_p50_ns": unchecked.latency(0.5)?,
        "unchecked_p99_ns": unchecked.latency(0.99)?,
    }))
}
