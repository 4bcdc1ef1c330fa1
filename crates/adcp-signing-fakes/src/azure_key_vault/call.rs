//! From a method and a path to the call that they stand for.

use http::Method;

/// A call of the API of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Create(String),
    Import(String),
    Get(KeyId),
    Update(KeyId),
    Rotate(String),
    RotationPolicy(String),
    SetRotationPolicy(String),
    Delete(String),
    List,
    ListVersions(String),
    Sign(KeyId),
    Verify(KeyId),
    GetDeleted(String),
    Purge(String),
}

/// A key, and which of its versions; the newest, if none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyId {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

impl Call {
    /// The call, or none where this server has none. An empty version is none, as the official
    /// clients write it.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let id = |key: &str, version: &str| {
            Some(KeyId {
                name: name(key)?,
                version: (!version.is_empty()).then(|| version.to_owned()),
            })
        };
        let (get, post, put) =
            (method == Method::GET, method == Method::POST, method == Method::PUT);
        let (patch, delete) = (method == Method::PATCH, method == Method::DELETE);
        match parts.as_slice() {
            ["keys"] | ["keys", ""] if get => Some(Self::List),
            ["keys", key] if get => Some(Self::Get(id(key, "")?)),
            ["keys", key] if put => Some(Self::Import(name(key)?)),
            ["keys", key] if patch => Some(Self::Update(id(key, "")?)),
            ["keys", key] if delete => Some(Self::Delete(name(key)?)),
            ["keys", key, "create"] if post => Some(Self::Create(name(key)?)),
            ["keys", key, "rotate"] if post => Some(Self::Rotate(name(key)?)),
            ["keys", key, "rotationpolicy"] if get => Some(Self::RotationPolicy(name(key)?)),
            ["keys", key, "rotationpolicy"] if put => Some(Self::SetRotationPolicy(name(key)?)),
            ["keys", key, "versions"] if get => Some(Self::ListVersions(name(key)?)),
            ["keys", key, version] if get => Some(Self::Get(id(key, version)?)),
            ["keys", key, version] if patch => Some(Self::Update(id(key, version)?)),
            ["keys", key, version, "sign"] if post => Some(Self::Sign(id(key, version)?)),
            ["keys", key, version, "verify"] if post => Some(Self::Verify(id(key, version)?)),
            ["deletedkeys", key] if get => Some(Self::GetDeleted(name(key)?)),
            ["deletedkeys", key] if delete => Some(Self::Purge(name(key)?)),
            _ => None,
        }
    }

    /// The permission that it needs.
    pub(super) fn permission(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Import(_) => "import",
            Self::Get(_) | Self::GetDeleted(_) => "get",
            Self::Update(_) => "update",
            Self::Rotate(_) => "rotate",
            Self::RotationPolicy(_) => "getrotationpolicy",
            Self::SetRotationPolicy(_) => "setrotationpolicy",
            Self::Delete(_) => "delete",
            Self::List | Self::ListVersions(_) => "list",
            Self::Sign(_) => "sign",
            Self::Verify(_) => "verify",
            Self::Purge(_) => "purge",
        }
    }
}

impl KeyId {
    /// As messages name it.
    pub(super) fn text(&self) -> String {
        match &self.version {
            Some(version) => format!("{}/{version}", self.name),
            None => self.name.clone(),
        }
    }
}
