//! A JWKS where it is published: in a file, or at a URL.

use std::{
    convert::Infallible,
    fmt,
    path::PathBuf,
    str::FromStr,
    time::{Duration, SystemTime},
};

#[cfg(feature = "https")]
use crate::https;
use crate::{failure::Failure, files, input};

/// Where a JWKS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Url(String),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text.contains("://") { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

/// A document as its server gave it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) body: Vec<u8>,
    /// The clock of the server when it answered: `Date`, and `Age` where a cache answered in its
    /// place.
    pub(crate) clock: Option<SystemTime>,
    /// For how long a cache may keep it.
    pub(crate) max_age: Option<Duration>,
    /// This machine's clock before the request and after the reply.
    pub(crate) asked: SystemTime,
    pub(crate) answered: SystemTime,
}

/// A JWKS that was read, or the reason why whoever looks for it there does not get it.
pub(crate) enum Published {
    File(Vec<u8>),
    Served(Result<Served, String>),
}

impl Published {
    /// Reads the file, or fetches the URL.
    pub(crate) async fn read(place: &Place) -> Result<Self, Failure> {
        match place {
            Place::File(path) => {
                let bytes = input::read(Some(path))?;
                files::refuse_private_key(path, &bytes)?;
                Ok(Self::File(bytes))
            }
            Place::Url(url) => fetch(url).await.map(Self::Served),
        }
    }
}

#[cfg(feature = "https")]
async fn fetch(url: &str) -> Result<Result<Served, String>, Failure> {
    let url = https::Url::parse(url).map_err(Failure::Invalid)?;
    Ok(https::get(url).await)
}

#[cfg(not(feature = "https"))]
async fn fetch(_: &str) -> Result<Result<Served, String>, Failure> {
    Err(Failure::invalid(
        "this build has no HTTPS client, which the feature `https` of the crate \
         `adcp-signing-cli` adds (as does the feature of every network backend); or fetch the JWKS \
         and name the file",
    ))
}

impl Served {
    /// How far this machine's clock is ahead of the server's, in seconds, as far as that is
    /// certain: `Date` is cut to whole seconds, and the reply was on its way for a while.
    pub(crate) fn clock_lead(&self) -> Option<i64> {
        let clock = self.clock?;
        let (most, least) = (seconds(clock, self.answered), seconds(clock, self.asked) - 1);
        Some(if least > 0 {
            least
        } else if most < 0 {
            most
        } else {
            0
        })
    }
}

/// Whole seconds from one time to another.
fn seconds(from: SystemTime, to: SystemTime) -> i64 {
    let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

impl Place {
    /// The bytes, where whatever is wrong with them is the caller's mistake.
    pub(crate) async fn read(&self) -> Result<Vec<u8>, Failure> {
        match Published::read(self).await? {
            Published::File(bytes) => Ok(bytes),
            Published::Served(served) => Ok(served.map_err(Failure::Invalid)?.body),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(_) => f.write_str("the published JWKS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_only_by_what_the_reply_proves() {
        let at =
            |millis: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000 + millis);
        // The server's clock, this one's before and after, and the lead.
        for (clock, asked, answered, lead) in [
            (10_000, 10_100, 10_200, 0),
            (10_000, 10_900, 11_500, 0),
            (10_000, 72_100, 72_200, 61),
            (10_000, 71_900, 74_000, 60),
            (75_000, 10_100, 13_900, -61),
            (75_000, 10_100, 14_100, -60),
        ] {
            let served = Served {
                body: Vec::new(),
                clock: Some(at(clock)),
                max_age: None,
                asked: at(asked),
                answered: at(answered),
            };
            assert_eq!(served.clock_lead(), Some(lead), "{clock} {asked} {answered}");
        }
    }
}
