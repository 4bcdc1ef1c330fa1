//! The resource name of a key version, the one thing that signs in Cloud KMS.

use std::{fmt, str::FromStr};

use adcp_signing_core::KeyRef;

/// The longest name read. Project IDs have at most 30 characters, key rings and keys 63.
const MAX_LEN: usize = 512;
const COLLECTIONS: [&str; 5] =
    ["projects", "locations", "keyRings", "cryptoKeys", "cryptoKeyVersions"];

/// `projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N`, the resource name of a key
/// version.
///
/// The version is required: an asymmetric key has no primary version that the service would choose.
///
/// `Debug` shows a hash only, since the name holds the project; [`expose`](Self::expose) gives the
/// text.
///
/// ```
/// use adcp_signing_gcp_kms::KeyVersionName;
///
/// let name = "projects/ads-prod/locations/europe-west1/keyRings/adcp/cryptoKeys/buyer/cryptoKeyVersions/3";
/// let name: KeyVersionName = name.parse()?;
/// assert!(!format!("{name:?}").contains("ads-prod"));
/// # Ok::<(), adcp_signing_gcp_kms::KeyVersionNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyVersionName(String);

/// Why a text is not the resource name of a key version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyVersionNameError {
    /// The name of a key, without a version.
    #[error(
        "the name is one of a key; add /cryptoKeyVersions/N, as an asymmetric key has no primary version"
    )]
    VersionMissing,
    /// Anything else.
    #[error(
        "not the name of a key version; write projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N"
    )]
    Form,
}

impl KeyVersionName {
    /// The name as Cloud KMS takes it. Holds a project: not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The name of the key, whose version this is.
    pub(crate) fn parent(&self) -> &str {
        self.0.rsplit_once("/cryptoKeyVersions/").map_or(&self.0, |(key, _)| key)
    }

    /// The name of the key ring and the ID of the key, where this is the first version.
    pub(crate) fn first_of_key(&self) -> Option<(&str, &str)> {
        self.0.strip_suffix("/cryptoKeyVersions/1")?.split_once("/cryptoKeys/")
    }

    pub(crate) fn key_ref(&self) -> KeyRef {
        KeyRef::new("gcp-kms", &self.0)
    }
}

impl FromStr for KeyVersionName {
    type Err = KeyVersionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(KeyVersionNameError::Form);
        }
        let segments: Vec<&str> = text.split('/').collect();
        let mut pairs = segments.chunks(2).zip(COLLECTIONS);
        let well_formed = pairs.all(|(pair, collection)| match pair {
            [name, id] => *name == collection && is_id(collection, id),
            _ => false,
        });
        match segments.len() {
            10 if well_formed => Ok(Self(text.to_owned())),
            8 if well_formed => Err(KeyVersionNameError::VersionMissing),
            _ => Err(KeyVersionNameError::Form),
        }
    }
}

/// Only characters that stand for themselves in a URL path, so that the name cannot reach another
/// resource.
fn is_id(collection: &str, id: &str) -> bool {
    let allowed = |byte: u8| match collection {
        "cryptoKeyVersions" => byte.is_ascii_digit(),
        // Projects of a domain are called `example.com:project`.
        "projects" => byte.is_ascii_alphanumeric() || b"-.:".contains(&byte),
        _ => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
    };
    !id.is_empty() && id.bytes().all(allowed) && id.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

impl fmt::Debug for KeyVersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyVersionName({})", self.key_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_all_five_parts_and_nothing_else() {
        use KeyVersionNameError::{Form, VersionMissing};

        let key = "projects/p-1/locations/europe-west1/keyRings/r_1/cryptoKeys/k";
        let cases = [
            (format!("{key}/cryptoKeyVersions/12"), Ok(())),
            (format!("{}/cryptoKeyVersions/1", key.replace("p-1", "example.com:p")), Ok(())),
            (key.to_owned(), Err(VersionMissing)),
            (format!("{key}/cryptoKeyVersions/"), Err(Form)),
            (format!("{key}/cryptoKeyVersions/latest"), Err(Form)),
            (format!("{key}/cryptoKeyVersions/1/"), Err(Form)),
            (format!("{key}/cryptoKeyVersions/1:asymmetricSign"), Err(Form)),
            (format!("/{key}/cryptoKeyVersions/1"), Err(Form)),
            (format!("{}/cryptoKeyVersions/1", key.replace("p-1", "..")), Err(Form)),
            (format!("{}/cryptoKeyVersions/1", key.replace("r_1", "r%2F1")), Err(Form)),
            (format!("{}/cryptoKeyVersions/1", key.replace("keyRings", "keyrings")), Err(Form)),
            (format!("{}/cryptoKeyVersions/1", key.replace("/k", &"k".repeat(600))), Err(Form)),
            ("projects/p".to_owned(), Err(Form)),
            (String::new(), Err(Form)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<KeyVersionName>().map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn debug_does_not_show_the_project() {
        let text =
            "projects/secret-project/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
        let name: KeyVersionName = text.parse().unwrap();
        assert_eq!(name.expose(), text);
        assert!(!format!("{name:?}").contains("secret-project"));
    }
}
