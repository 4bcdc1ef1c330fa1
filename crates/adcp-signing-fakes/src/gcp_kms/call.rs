//! From a method, a path and a query to the call that they stand for.

use http::Method;

use super::store::VersionName;

/// A call of the API, version 1. A ring or a location stands for itself by its resource name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    CreateRing { location: String },
    Rings { location: String },
    Ring { ring: String },
    CreateKey { ring: String },
    Keys { ring: String },
    Key { ring: String, key: String },
    TestPermissions { ring: String, key: String },
    CreateVersion { ring: String, key: String },
    Versions { ring: String, key: String },
    Version(VersionName),
    UpdateVersion(VersionName),
    Destroy(VersionName),
    Restore(VersionName),
    PublicKey(VersionName),
    Sign(VersionName),
}

impl Call {
    /// The call, or none where the API has none.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let name = path.strip_prefix("/v1/")?;
        let (name, verb) = match name.rsplit_once(':') {
            Some((name, verb)) => (name, Some(verb)),
            None => (name, None),
        };
        let (get, post, patch) =
            (method == Method::GET, method == Method::POST, method == Method::PATCH);
        let parts: Vec<&str> = name.split('/').collect();
        let ["projects", project, "locations", location, "keyRings", rest @ ..] = parts.as_slice()
        else {
            return None;
        };
        let location = format!("projects/{project}/locations/{location}");
        let ring = |id: &str| format!("{location}/keyRings/{id}");
        match (rest, verb) {
            ([], None) if post => Some(Self::CreateRing { location }),
            ([], None) if get => Some(Self::Rings { location }),
            ([id], None) if get => Some(Self::Ring { ring: ring(id) }),
            ([id, "cryptoKeys"], None) if post => Some(Self::CreateKey { ring: ring(id) }),
            ([id, "cryptoKeys"], None) if get => Some(Self::Keys { ring: ring(id) }),
            ([id, "cryptoKeys", key], None) if get => {
                Some(Self::Key { ring: ring(id), key: (*key).to_owned() })
            }
            ([id, "cryptoKeys", key], Some("testIamPermissions")) if post => {
                Some(Self::TestPermissions { ring: ring(id), key: (*key).to_owned() })
            }
            ([id, "cryptoKeys", key, "cryptoKeyVersions"], None) if post => {
                Some(Self::CreateVersion { ring: ring(id), key: (*key).to_owned() })
            }
            ([id, "cryptoKeys", key, "cryptoKeyVersions"], None) if get => {
                Some(Self::Versions { ring: ring(id), key: (*key).to_owned() })
            }
            ([id, "cryptoKeys", key, "cryptoKeyVersions", number, rest @ ..], verb) => {
                let version = number.parse().ok()?;
                let name = VersionName { ring: ring(id), key: (*key).to_owned(), version };
                match (rest, verb) {
                    ([], None) if get => Some(Self::Version(name)),
                    ([], None) if patch => Some(Self::UpdateVersion(name)),
                    (["publicKey"], None) if get => Some(Self::PublicKey(name)),
                    ([], Some("asymmetricSign")) if post => Some(Self::Sign(name)),
                    ([], Some("destroy")) if post => Some(Self::Destroy(name)),
                    ([], Some("restore")) if post => Some(Self::Restore(name)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether `roles/cloudkms.signerVerifier` is enough for the call. Everybody may ask what they may
    /// do.
    pub(super) fn is_of_a_signer(&self) -> bool {
        matches!(self, Self::PublicKey(_) | Self::Sign(_) | Self::TestPermissions { .. })
    }

    /// The project that a path speaks of.
    pub(super) fn project(path: &str) -> Option<&str> {
        path.strip_prefix("/v1/projects/")?.split('/').next()
    }
}
