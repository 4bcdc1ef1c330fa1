//! How far the clock of this machine is from that of a service.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// Less than this no service refuses: AWS takes five minutes, Google and Microsoft as much.
const TOLERATED: Duration = Duration::from_secs(4 * 60);

/// The clock of this machine is so far from that of a service, by the `Date` of an answer
/// (RFC 9110 §6.6.1), that the service refuses what is signed with a time, and expects other tokens
/// than are sent.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use adcp_signing_core::provider::toolkit::ClockSkew;
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
/// let skew = ClockSkew::of("Thu, 01 Jan 1970 00:00:00 GMT", now).unwrap();
/// assert_eq!(skew.to_string(), "this machine's clock is 3600 seconds ahead of the service's");
/// assert_eq!(ClockSkew::of("Thu, 01 Jan 1970 00:59:00 GMT", now), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    is_ahead: bool,
    by: Duration,
}

impl ClockSkew {
    /// The difference, where it is four minutes or more.
    pub fn of(date: &str, now: SystemTime) -> Option<Self> {
        let theirs = httpdate::parse_http_date(date.trim()).ok()?;
        let (is_ahead, by) = match now.duration_since(theirs) {
            Ok(ahead) => (true, ahead),
            Err(behind) => (false, behind.duration()),
        };
        (by >= TOLERATED).then_some(Self { is_ahead, by })
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, side) =
            (self.by.as_secs(), if self.is_ahead { "ahead of" } else { "behind" });
        write!(f, "this machine's clock is {seconds} seconds {side} the service's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_from_four_minutes_on_in_either_direction() {
        let date = "Sun, 29 Nov 2026 00:00:00 GMT";
        let theirs = httpdate::parse_http_date(date).unwrap();
        let at = |seconds: i64| match seconds {
            0.. => theirs + Duration::from_secs(seconds.unsigned_abs()),
            _ => theirs - Duration::from_secs(seconds.unsigned_abs()),
        };
        for (seconds, expected) in [
            (0, None),
            (239, None),
            (-239, None),
            (240, Some("240 seconds ahead of")),
            (-240, Some("240 seconds behind")),
            (3600, Some("3600 seconds ahead of")),
        ] {
            let skew = ClockSkew::of(date, at(seconds)).map(|skew| skew.to_string());
            let expected =
                expected.map(|off| format!("this machine's clock is {off} the service's"));
            assert_eq!(skew, expected, "{seconds}");
        }
        assert_eq!(ClockSkew::of("yesterday", theirs), None);
    }
}
