//! What a query says: the API's version, and which page of a list.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::error::Refused;

/// The stable versions, oldest first.
const VERSIONS: &[&str] =
    &["2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"];
const MAX_PAGE: usize = 25;

/// A query.
pub(super) struct Query {
    version: &'static str,
    page: usize,
    skip: usize,
}

impl Query {
    pub(super) fn of(query: &str) -> Result<Self, Refused> {
        let value = |wanted: &str| {
            let mut members = query.split('&').filter_map(|member| member.split_once('='));
            members.find(|(name, _)| name.replace("%24", "$") == wanted).map(|(_, value)| value)
        };
        let asked = value("api-version")
            .ok_or_else(|| Refused::bad_parameter("The api-version query parameter is missing."))?;
        let version = VERSIONS.iter().find(|version| **version == asked).ok_or_else(|| {
            let newest = VERSIONS.last().copied().unwrap_or_default();
            Refused::bad_parameter(format!(
                "The specified version ({asked}) is not recognized. Consider using the latest supported version ({newest})."
            ))
        })?;
        let page = match value("maxresults").map(str::parse) {
            None => MAX_PAGE,
            Some(Ok(page @ 1..=MAX_PAGE)) => page,
            Some(_) => return Err(Refused::bad_parameter("maxresults is a number from 1 to 25.")),
        };
        let skip = match value("$skiptoken") {
            None => 0,
            Some(token) => offset(token)
                .ok_or_else(|| Refused::bad_parameter("The skip token is not of this list."))?,
        };
        Ok(Self { version, page, skip })
    }

    /// The page of a list that was asked for, with the URL of the next one.
    pub(super) fn page(&self, list: &str, items: Vec<Value>) -> Value {
        let end = self.skip.saturating_add(self.page);
        let next = (end < items.len()).then(|| {
            let token = Base64UrlUnpadded::encode_string(end.to_string().as_bytes());
            let (version, page) = (self.version, self.page);
            format!("{list}?api-version={version}&$skiptoken={token}&maxresults={page}")
        });
        let items: Vec<Value> = items.into_iter().skip(self.skip).take(self.page).collect();
        json!({"value": items, "nextLink": next})
    }
}

fn offset(token: &str) -> Option<usize> {
    String::from_utf8(Base64UrlUnpadded::decode_vec(token).ok()?).ok()?.parse().ok()
}
