//! What is made of many samples.

use std::time::Duration;

use super::BenchError;

pub(super) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The value that half of the samples do not exceed.
pub(super) fn median(samples: Vec<f64>) -> Result<f64, BenchError> {
    quantile(samples, 0.5)
}

/// The value that this part of the samples does not exceed.
pub(super) fn quantile(mut samples: Vec<f64>, part: f64) -> Result<f64, BenchError> {
    samples.sort_unstable_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    let index = (last as f64 * part).round() as usize;
    samples.get(index).copied().ok_or_else(|| "nothing was measured".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_whatever_their_order() {
        let samples = || vec![5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(samples()).unwrap(), 3.0);
        assert_eq!(quantile(samples(), 0.99).unwrap(), 5.0);
        assert_eq!(quantile(samples(), 0.0).unwrap(), 1.0);
        assert!(median(Vec::new()).is_err());
    }
}
