//! What a whole takes beyond a part of it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const PAGE: usize = 4_096;

/// Calls `run` from further down the stack, `levels` times about 64 bytes.
///
/// A primitive's vector code takes up to a fifth longer at some places of the stack within a page
/// than at others. A pipeline calls its primitive from another place than a bare call does, and
/// would be charged for the difference, or credited with it. So both are run from all over a page:
/// from [`depths`] different levels.
#[inline(never)]
fn deeper(levels: usize, run: &mut dyn FnMut() -> Duration) -> Duration {
    if levels == 0 {
        return run();
    }
    let pad = black_box([0_u8; 32]);
    let result = deeper(levels - 1, run);
    black_box(&pad);
    result
}

/// How many levels lead over whole pages, so that no part of a page counts more than another. How
/// long a level is, is up to the compiler.
fn depths() -> usize {
    let [upper, lower] = [0, 1].map(|levels| {
        let mut address = 0;
        deeper(levels, &mut || {
            let here = 0_u8;
            address = std::ptr::from_ref(black_box(&here)).addr();
            Duration::ZERO
        });
        address
    });
    let level = upper - lower;
    PAGE >> level.trailing_zeros().min(PAGE.trailing_zeros())
}

/// What one call of `whole` takes beside one of `part`, in means over the depths of the stack
/// without the slowest tenth, where interruptions are. The two run in turn, so that a drift of the
/// machine meets both.
pub(crate) struct Beyond {
    depths: usize,
    whole: Vec<Duration>,
    part: Vec<Duration>,
}

impl Beyond {
    pub(crate) fn new() -> Self {
        Self { depths: depths(), whole: Vec::new(), part: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        mut whole: impl FnMut() -> Duration,
        mut part: impl FnMut() -> Duration,
    ) {
        let levels = self.whole.len() % self.depths;
        self.whole.push(deeper(levels, &mut whole));
        self.part.push(deeper(levels, &mut part));
    }

    /// How many pairs make a sample of so many iterations: whole rounds over the depths.
    pub(crate) fn pairs(&self, iterations: u64) -> u64 {
        iterations.next_multiple_of(self.depths as u64)
    }

    /// The difference, times `iterations`.
    pub(crate) fn total(self, iterations: u64) -> Duration {
        let [whole, part] = [self.whole, self.part].map(|mut times| {
            times.sort_unstable();
            times.truncate(times.len().div_ceil(10) * 9);
            times.iter().sum::<Duration>().div_f64(times.len() as f64)
        });
        // Criterion stops at a sample of no time, which a great disturbance of `part` looks like.
        whole.saturating_sub(part).max(Duration::from_nanos(1)).mul_f64(iterations as f64)
    }
}

/// The time that `run` takes, which includes dropping its result. `run` says whether it succeeded.
pub(crate) fn timed(run: impl FnOnce() -> bool) -> Duration {
    let start = Instant::now();
    let succeeded = run();
    let elapsed = start.elapsed();
    assert!(succeeded, "what is measured is a success");
    elapsed
}
