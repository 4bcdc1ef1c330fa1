//! RFC 3339 timestamps in UTC, the one date format of the revocation list.
//!
//! Written here because a date library brings calendars, time zones and lenient separators for what
//! is one fixed shape.

use std::fmt;

use crate::clock::UnixSeconds;

/// Reads an RFC 3339 date-time with any offset, such as `2026-04-18T16:00:00+02:00`. A fraction is
/// dropped.
///
/// This serves the crates of this workspace and may change in any release.
#[doc(hidden)]
pub fn rfc3339_seconds(text: &str) -> Option<UnixSeconds> {
    if let Some(time) = parse(text) {
        return Some(time);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let &[sign, h1, h2, b':', m1, m2] = offset.as_bytes() else { return None };
    let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = match sign {
        b'+' => hours * 3600 + minutes * 60,
        b'-' => -(hours * 3600 + minutes * 60),
        _ => return None,
    };
    Some(parse(&format!("{local}Z"))?.plus(-ahead))
}

/// A time that the format can express: one of the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(UnixSeconds);

impl Timestamp {
    /// `0000-01-01T00:00:00Z`.
    const FIRST: i64 = -62_167_219_200;
    /// `9999-12-31T23:59:59Z`.
    const LAST: i64 = 253_402_300_799;

    pub(super) fn of(time: UnixSeconds) -> Option<Self> {
        (Self::FIRST..=Self::LAST).contains(&time.as_i64()).then_some(Self(time))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        parse(text).and_then(Self::of)
    }

    pub(super) fn unix(self) -> UnixSeconds {
        self.0
    }
}

/// Reads `2026-04-18T14:00:00Z`. `+00:00` and `-00:00` are UTC too, a fraction is dropped, any
/// other zone is refused.
fn parse(text: &str) -> Option<UnixSeconds> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] =
        date_time.as_bytes()
    else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?);
    if day < 1 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    if !matches!(zone, "Z" | "+00:00" | "-00:00") {
        return None;
    }
    let days = days_before_year(year) + days_before_month(year, month)? + day - 1;
    Some(UnixSeconds::new(days * 86_400 + hour * 3600 + minute * 60 + second))
}

/// Writes `2026-04-18T14:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Days from 0000-03-01 to 1970-01-01.
        const EPOCH: i64 = 719_468;
        /// Days in 400 years.
        const ERA: i64 = 146_097;

        let time = self.0.as_i64();
        let (days, second) = (time.div_euclid(86_400), time.rem_euclid(86_400));
        // Years begin in March here, so that a leap day is the last day of its year.
        let (era, day) = ((days + EPOCH).div_euclid(ERA), (days + EPOCH).rem_euclid(ERA));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let months = (5 * day + 2) / 153;
        let day = day - (153 * months + 2) / 5 + 1;
        let month = if months < 10 { months + 3 } else { months - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    match month {
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

fn days_before_month(year: i64, month: i64) -> Option<i64> {
    (1..month).try_fold(0, |days, month| Some(days + days_in_month(year, month)?))
}

/// Days from 1970-01-01 to the first day of the year; negative before 1970.
fn days_before_year(year: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_zones_are_read_where_a_list_does_not_have_to_be_in_utc() {
        let utc = UnixSeconds::new(1_776_520_800);
        for text in
            ["2026-04-18T14:00:00Z", "2026-04-18T16:00:00+02:00", "2026-04-18T08:30:00.25-05:30"]
        {
            assert_eq!(rfc3339_seconds(text), Some(utc), "{text}");
        }
        for text in [
            "2026-04-18T16:00:00",
            "2026-04-18T16:00:00 02:00",
            "2026-04-18T16:00:00+24:00",
            "2026-04-18T16:00:00+02:60",
            "2026-04-18T16:00:00+2:00",
            "2026-04-18T16:00:00Z+02:00",
            "2026-04-18",
            "+02:00",
            "",
        ] {
            assert_eq!(rfc3339_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn utc_timestamps_are_read_to_the_second() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-04-18T14:00:00Z", 1_776_520_800),
            ("2026-04-18T14:00:00+00:00", 1_776_520_800),
            ("2026-04-18T14:00:00.999-00:00", 1_776_520_800),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("1969-12-31T23:59:59Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(UnixSeconds::new(seconds)), "{text}");
        }
    }

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for day in (-719_528..=2_932_896).step_by(97) {
            let time = UnixSeconds::new(day * 86_400 + 86_399);
            let text = Timestamp::of(time).unwrap().to_string();
            assert_eq!(Timestamp::parse(&text).map(Timestamp::unix), Some(time), "{text}");
        }
        let (first, last) = (UnixSeconds::new(-62_167_219_200), UnixSeconds::new(253_402_300_799));
        let written = |time| Timestamp::of(time).map(|time| time.to_string());
        assert_eq!(written(first).as_deref(), Some("0000-01-01T00:00:00Z"));
        assert_eq!(written(last).as_deref(), Some("9999-12-31T23:59:59Z"));
        let leap_day = UnixSeconds::new(1_709_251_199);
        assert_eq!(written(leap_day).as_deref(), Some("2024-02-29T23:59:59Z"));
        for outside in [first.minus(1), last.plus(1), UnixSeconds::new(1_776_520_800_000)] {
            assert_eq!(written(outside), None, "{outside}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let cases = [
            "",
            "2026-04-18",
            "2026-04-18T14:00:00",
            "2026-04-18 14:00:00Z",
            "2026-04-18t14:00:00z",
            "2026-04-18T14:00:00+02:00",
            "2026-04-18T14:00:00.Z",
            "2026-04-18T14:00:00ZZ",
            "2026-04-18T14:00Z",
            "2025-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-04-00T00:00:00Z",
            "2026-04-18T24:00:00Z",
            "2026-04-18T14:60:00Z",
            "2026-04-18T14:00:60Z",
            "+026-04-18T14:00:00Z",
            "2026-04-18T14:00:0\u{e9}Z",
            "1776520800",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
