//! A sum of money that governance approved, compared exactly.

use std::{fmt, str::FromStr};

/// Decimal places that are kept.
const PLACES: u32 = 9;
/// Digits before the decimal point that are read.
const MAX_DIGITS: usize = 24;

/// An amount, as the JSON number of a claim states it: not negative, up to 9 decimal places, without
/// an exponent. It is compared without rounding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    /// In units of 10^-9.
    units: u128,
    written: String,
}

/// An ISO 4217 code: three capital letters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Currency(String);

/// The most that governance approved, or what a service is about to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    amount: Amount,
    currency: Currency,
}

/// What an action costs, as the service computed it. There is no default, so that a price that was
/// forgotten is not taken for an action without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Nothing, by the nature of the task.
    NotMonetary,
    /// This much. A price of zero is one.
    Monetary(Commitment),
}

/// Why a text is not an amount in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The amount.
    #[error("an amount is a decimal number such as 12.50: no sign, no exponent, up to 9 places")]
    Amount,
    /// The currency.
    #[error("a currency is an ISO 4217 code of three capital letters, such as USD")]
    Currency,
}

impl Commitment {
    /// An amount and its currency: `("12.50", "USD")`.
    ///
    /// # Errors
    /// [`CommitmentError`].
    pub fn new(amount: &str, currency: &str) -> Result<Self, CommitmentError> {
        Ok(Self { amount: amount.parse()?, currency: currency.parse()? })
    }

    /// The amount.
    pub fn amount(&self) -> &Amount {
        &self.amount
    }

    /// The currency.
    pub fn currency(&self) -> &Currency {
        &self.currency
    }

    /// Whether a commitment of `other` stays within this one: the same currency, and not more.
    pub fn covers(&self, other: &Self) -> bool {
        self.currency == other.currency && self.amount.units >= other.amount.units
    }
}

impl FromStr for Amount {
    type Err = CommitmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(CommitmentError::Amount),
            Some(parts) => parts,
            None => (text, ""),
        };
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty()
            || whole.len() > MAX_DIGITS
            || has_leading_zero
            || fraction.len() > PLACES as usize
            || !is_number(whole)
            || !is_number(fraction)
        {
            return Err(CommitmentError::Amount);
        }
        let digits = format!("{whole}{fraction:0<width$}", width = PLACES as usize);
        let units = digits.parse().map_err(|_| CommitmentError::Amount)?;
        let fraction = fraction.trim_end_matches('0');
        let written =
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
        Ok(Self { units, written })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({self})")
    }
}

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Currency {
    type Err = CommitmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CommitmentError::Currency)
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_without_rounding() {
        let usd = |amount| Commitment::new(amount, "USD").unwrap();
        assert!(usd("0.3").covers(&usd("0.300000000")));
        assert!(usd("1").covers(&usd("0.999999999")));
        assert!(usd("0").covers(&usd("0.0")));
        for (ceiling, more) in
            [("1", "1.000000001"), ("0", "0.01"), ("9007199254740992", "9007199254740993")]
        {
            assert!(!usd(ceiling).covers(&usd(more)), "{ceiling} {more}");
        }
        assert!(!usd("1").covers(&Commitment::new("1", "EUR").unwrap()));
        assert_eq!(usd("12.50"), usd("12.5"));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        let long = "1".repeat(25);
        for text in ["", "-1", "+1", "1e3", "1.", ".5", "01", "1.0000000001", "1_0", "NaN", &long] {
            assert_eq!(Commitment::new(text, "USD"), Err(CommitmentError::Amount), "{text}");
        }
        for code in ["", "usd", "US", "USDT", "U$D"] {
            assert_eq!(Commitment::new("1", code), Err(CommitmentError::Currency), "{code}");
        }
    }
}
