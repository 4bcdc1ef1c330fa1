//! The API's version, which every query states.

use super::error::Refused;

/// The stable versions, oldest first.
const VERSIONS: &[&str] =
    &["2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"];

/// Refuses a query without a version that the service has.
pub(super) fn check(query: &str) -> Result<(), Refused> {
    let asked = query.split('&').find_map(|member| member.strip_prefix("api-version="));
    let asked = asked
        .ok_or_else(|| Refused::bad_parameter("The api-version query parameter is missing."))?;
    if VERSIONS.contains(&asked) {
        return Ok(());
    }
    let newest = VERSIONS.last().copied().unwrap_or_default();
    Err(Refused::bad_parameter(format!(
        "The specified version ({asked}) is not recognized. Consider using the latest supported version ({newest})."
    )))
}
