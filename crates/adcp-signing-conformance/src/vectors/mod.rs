//! Runs folders of vectors, published or one's own, at the contract version they belong to.

mod canonicalization;
mod codes;
mod delivery;
mod folder;
mod format;
mod hmac;
mod message;
mod methods;
mod policy;
mod report;

use std::path::{Path, PathBuf};

use adcp_signing_core::profile::ContractVersion;

use self::folder::Suite;
pub use self::{
    delivery::{Answer, Delivery, Inward, Refusal},
    report::{Case, CaseResult, Report},
};

/// Why vectors could not be run at all. A vector that fails is not an error but part of the
/// [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its folder says it is.
    #[error("{path} is not a vector file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No vector was found, which is never a success.
    #[error(
        "no vector was found in {0}; name a folder that holds request-signing/ or webhook-signing/"
    )]
    Nothing(PathBuf),
}

/// Runs every vector below a folder.
///
/// The contract is the caller's, or else the nearest folder name above each file that is a version
/// (`3.2.4`, `adcp-3.1.19`), or else the newest.
///
/// # Errors
/// [`VectorError`] when the folder cannot be read or holds no vector.
pub fn run_folder(
    folder: &Path,
    contract: Option<&ContractVersion>,
) -> Result<Report, VectorError> {
    let mut report = Report::default();
    for suite in Suite::discover(folder, contract)? {
        suite.run(&mut report)?;
    }
    if report.ran() == 0 { Err(VectorError::Nothing(folder.to_owned())) } else { Ok(report) }
}

/// Delivers the messages of every message vector below a folder to a server of yours: a middleware,
/// or a proxy. Vectors of other kinds are left out.
///
/// `receive` answers what the server made of a message, or why it cannot be delivered to it, such as
/// a URL that an HTTP library does not take; that case counts as skipped.
///
/// # Errors
/// As [`run_folder`].
pub fn run_folder_through(
    folder: &Path,
    contract: Option<&ContractVersion>,
    receive: impl Fn(Delivery<'_>) -> Result<Answer, String>,
) -> Result<Report, VectorError> {
    let mut report = Report::default();
    for suite in Suite::discover(folder, contract)? {
        suite.deliver(&mut report, &receive)?;
    }
    if report.ran() == 0 { Err(VectorError::Nothing(folder.to_owned())) } else { Ok(report) }
}
