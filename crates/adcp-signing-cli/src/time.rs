//! Times as people read them.

use adcp_signing::UnixSeconds;

const DAY: i64 = 86_400;

/// A time such as `2026-11-28 12:09:03 UTC`.
pub(crate) fn utc(time: UnixSeconds) -> String {
    let (days, second) = (time.as_i64().div_euclid(DAY), time.as_i64().rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How far a time is from now, such as `in 300 s`.
pub(crate) fn from_now(time: UnixSeconds, now: UnixSeconds) -> String {
    match time.as_i64().saturating_sub(now.as_i64()) {
        ahead if ahead >= 0 => format!("in {ahead} s"),
        behind => format!("{} s ago", behind.saturating_neg()),
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, in eras of 400 years, which are all of one length.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_867_743, "2026-11-28 12:09:03 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(UnixSeconds::new(seconds)), expected);
        }
        // A message may bring any number, and none of them ends the program.
        for seconds in [i64::MIN, i64::MAX] {
            assert!(utc(UnixSeconds::new(seconds)).ends_with("UTC"));
        }
        let now = UnixSeconds::new(100);
        assert_eq!(from_now(UnixSeconds::new(400), now), "in 300 s");
        assert_eq!(from_now(UnixSeconds::new(99), now), "1 s ago");
    }
}
