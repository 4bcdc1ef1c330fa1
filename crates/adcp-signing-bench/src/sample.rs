//! What is made of many samples.

/// The value that half of the samples do not exceed; not a number where there are none, so that
/// nothing measured meets no target.
pub(crate) fn median(samples: &mut [f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The value that this part of the samples does not exceed; not a number where there are none.
pub(crate) fn quantile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    samples.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The mean without the slowest tenth, where interruptions are; not a number where there are none.
pub(crate) fn undisturbed_mean(samples: &mut [f64]) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let counted = &samples[..samples.len() - samples.len() / 10];
    counted.iter().sum::<f64>() / counted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_whatever_their_order() {
        let mut samples = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(&mut samples), 3.0);
        assert_eq!(quantile(&mut samples, 0.99), 5.0);
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn the_slowest_tenth_does_not_count() {
        let mut samples = [1.0; 20];
        samples[3] = 1_000.0;
        samples[7] = 1_000.0;
        assert_eq!(undisturbed_mean(&mut samples), 1.0);
        assert!(undisturbed_mean(&mut []).is_nan());
    }
}
