//! How a client proves to the server who it is.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use adcp_signing_core::{ProviderError, provider::toolkit::read_secret_file};
use vaultrs::api::auth::{
    approle::requests::LoginWithApproleRequest, kubernetes::requests::LoginWithKubernetesRequest,
};
use zeroize::Zeroize as _;

use crate::{
    Secret,
    address::{configuration, is_path},
    http::Call,
    settings::Settings,
};

/// The longest token, secret id or service account token read from a file.
const MAX_SECRET_LEN: usize = 16 * 1024;
const TOKEN_FILE: &str = "file with the token";
const SECRET_ID_FILE: &str = "file with the secret id";
const JWT_FILE: &str = "file with the service account token";
/// Where Kubernetes puts a pod's service account token.
pub(crate) const KUBERNETES_JWT_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How a client logs in. The default mounts are `approle` and `kubernetes`.
///
/// Logging in yields a token with a lifetime: it is renewed before it ends, and where that cannot
/// be, or the server no longer takes it, the client logs in again.
///
/// ```
/// use adcp_signing_vault_transit::VaultAuth;
///
/// let auth = VaultAuth::app_role("role-id", "secret-id").with_mount("team/approle");
/// assert!(!format!("{auth:?}").contains("secret-id"));
/// ```
#[derive(Clone)]
pub struct VaultAuth {
    pub(crate) method: Method,
    mount: Option<String>,
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) enum Method {
    Token(Secret),
    TokenFile(PathBuf),
    AppRole { role_id: String, secret_id: SecretId },
    Kubernetes { role: String, jwt_file: PathBuf },
}

#[derive(Clone)]
pub(crate) enum SecretId {
    Given(Secret),
    File(PathBuf),
}

/// What gets a token: one that is there already, or a login.
pub(crate) enum Login {
    Token(Secret),
    Call(Call),
}

impl VaultAuth {
    /// A token that the caller has. It is renewed while the server allows it; once it has ended,
    /// calls fail.
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::new(Method::Token(token.into()))
    }

    /// A token in a file that something else keeps fresh, such as an agent's sink. Read again when
    /// the server no longer takes the token that it held.
    pub fn token_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Method::TokenFile(path.into()))
    }

    /// An AppRole login.
    pub fn app_role(role_id: impl Into<String>, secret_id: impl Into<Secret>) -> Self {
        Self::new(Method::AppRole {
            role_id: role_id.into(),
            secret_id: SecretId::Given(secret_id.into()),
        })
    }

    /// An AppRole login whose secret id is in a file, read at each login.
    pub fn app_role_with_secret_id_file(
        role_id: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Self {
        Self::new(Method::AppRole {
            role_id: role_id.into(),
            secret_id: SecretId::File(path.into()),
        })
    }

    /// A Kubernetes login as a role, with the pod's service account token.
    pub fn kubernetes(role: impl Into<String>) -> Self {
        Self::kubernetes_with_jwt_file(role, KUBERNETES_JWT_FILE)
    }

    /// A Kubernetes login with the service account token in a file, read at each login: Kubernetes
    /// replaces it.
    pub fn kubernetes_with_jwt_file(role: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(Method::Kubernetes { role: role.into(), jwt_file: path.into() })
    }

    /// Sets where the auth method is mounted, without the leading `auth/`.
    #[must_use]
    pub fn with_mount(mut self, mount: impl Into<String>) -> Self {
        self.mount = Some(mount.into());
        self
    }

    /// A login that the variables of a family set.
    pub(crate) fn of_family(family: &'static str, method: Method) -> Self {
        Self { settings: Settings::Family(family), ..Self::new(method) }
    }

    fn new(method: Method) -> Self {
        Self { method, mount: None, settings: Settings::Options }
    }

    /// A name for logs.
    pub(crate) fn name(&self) -> &'static str {
        match &self.method {
            Method::Token(_) => "token",
            Method::TokenFile(_) => "token-file",
            Method::AppRole { .. } => "approle",
            Method::Kubernetes { .. } => "kubernetes",
        }
    }

    /// Whether another token can be had once this one has ended.
    pub(crate) fn can_log_in_again(&self) -> bool {
        !matches!(self.method, Method::Token(_))
    }

    /// Whether each login leaves a lease on the server, which reading a file does not.
    pub(crate) fn login_costs(&self) -> bool {
        !matches!(self.method, Method::TokenFile(_))
    }

    /// Refuses a mount that is no path.
    pub(crate) fn check(&self) -> Result<(), ProviderError> {
        match &self.mount {
            Some(mount) if !is_path(mount) => Err(configuration(format!(
                "the mount of the auth method ({}) is not a path such as `approle` or `team/approle`",
                self.settings.auth_mount()
            ))),
            _ => Ok(()),
        }
    }

    /// What to do for a token now. Reads the files that the method names.
    pub(crate) fn login(&self) -> Result<Login, ProviderError> {
        Ok(match &self.method {
            Method::Token(token) => Login::Token(token.clone()),
            Method::TokenFile(path) => Login::Token({
                let setting = match self.settings {
                    Settings::Options => "VaultAuth::token_file",
                    Settings::Family(_) => "~/.vault-token",
                };
                read_secret(path, TOKEN_FILE, setting)?
            }),
            Method::AppRole { role_id, secret_id } => {
                let secret_id = match secret_id {
                    SecretId::Given(secret) => secret.clone(),
                    SecretId::File(path) => {
                        let setting = self
                            .settings
                            .name("SECRET_ID_FILE", "VaultAuth::app_role_with_secret_id_file");
                        read_secret(path, SECRET_ID_FILE, setting)?
                    }
                };
                let mut login = LoginWithApproleRequest {
                    mount: self.mount("approle"),
                    role_id: role_id.clone(),
                    secret_id: secret_id.expose().to_owned(),
                };
                let call = Call::of(&login);
                login.secret_id.zeroize();
                Login::Call(call?)
            }
            Method::Kubernetes { role, jwt_file } => {
                let setting = self
                    .settings
                    .name("KUBERNETES_JWT_FILE", "VaultAuth::kubernetes_with_jwt_file");
                let mut login = LoginWithKubernetesRequest {
                    mount: self.mount("kubernetes"),
                    role: role.clone(),
                    jwt: read_secret(jwt_file, JWT_FILE, setting)?.expose().to_owned(),
                };
                let call = Call::of(&login);
                login.jwt.zeroize();
                Login::Call(call?)
            }
        })
    }

    fn mount(&self, default: &str) -> String {
        self.mount.as_deref().unwrap_or(default).to_owned()
    }
}

impl fmt::Debug for VaultAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultAuth({})", self.name())
    }
}

/// A secret in a small regular file, without the line end. The file is local and tiny, so it is
/// read in place.
fn read_secret(
    path: &Path,
    what: &'static str,
    setting: impl fmt::Display,
) -> Result<Secret, ProviderError> {
    let content = read_secret_file(path, what, MAX_SECRET_LEN)
        .map_err(|error| configuration(format!("{setting}: {error}")).with_source(error))?;
    match std::str::from_utf8(&content).ok().map(str::trim) {
        Some(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(configuration(format!("{setting}: the {what} is empty, or not text"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_login_goes_to_the_mount_with_what_the_file_holds_now() {
        let dir = tempfile::tempdir().unwrap();
        let jwt = dir.path().join("jwt");
        let auth = VaultAuth::kubernetes_with_jwt_file("signer", &jwt).with_mount("eu/kubernetes");
        for content in ["first\n", "second"] {
            fs::write(&jwt, content).unwrap();
            let Ok(Login::Call(Call { path, body, .. })) = auth.login() else { panic!("a call") };
            assert_eq!(path, "auth/eu/kubernetes/login");
            let expected = format!(r#"{{"role":"signer","jwt":"{}"}}"#, content.trim());
            assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
        }
        let Ok(Login::Call(Call { path, body, .. })) = VaultAuth::app_role("r", "s").login() else {
            panic!("a call")
        };
        assert_eq!(
            (path.as_str(), &**body),
            ("auth/approle/login", br#"{"role_id":"r","secret_id":"s"}"#.as_slice())
        );
    }

    #[test]
    fn a_file_without_a_secret_is_refused_without_naming_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token-of-mine");
        let too_long = "x".repeat(MAX_SECRET_LEN + 1);
        for content in [None, Some(""), Some(" \n"), Some(too_long.as_str())] {
            if let Some(content) = content {
                fs::write(&file, content).unwrap();
            }
            let error = VaultAuth::token_file(&file).login().err().unwrap();
            assert_eq!(error.kind(), adcp_signing_core::ProviderErrorKind::Configuration);
            assert!(!format!("{error:?}").contains("token-of-mine"), "{error:?}");
        }
        // Each file is told by what it should hold, and a directory is none.
        let dir = dir.path();
        for (auth, what) in [
            (VaultAuth::token_file(dir), TOKEN_FILE),
            (VaultAuth::app_role_with_secret_id_file("r", dir), SECRET_ID_FILE),
            (VaultAuth::kubernetes_with_jwt_file("r", dir), JWT_FILE),
        ] {
            for (settings, prefixes) in [
                (Settings::Options, ["VaultAuth::", "VaultAuth::"]),
                (Settings::Family("BAO"), ["BAO_", "~/.vault-token"]),
            ] {
                let auth = VaultAuth { settings, ..auth.clone() };
                let error = auth.login().err().unwrap().to_string();
                let (setting, error) = error
                    .strip_prefix("configuration: ")
                    .and_then(|error| error.split_once(": "))
                    .unwrap();
                assert!(prefixes.iter().any(|prefix| setting.starts_with(prefix)), "{setting}");
                assert_eq!(error, format!("the {what} is not a regular file"));
            }
        }
    }

    #[test]
    fn debug_shows_the_method_and_nothing_else() {
        let shown = [
            format!("{:?}", VaultAuth::token("hvs.1")),
            format!("{:?}", VaultAuth::app_role("role", "s.2").with_mount("m")),
            format!("{:?}", VaultAuth::kubernetes("role")),
        ];
        assert_eq!(shown, ["VaultAuth(token)", "VaultAuth(approle)", "VaultAuth(kubernetes)"]);
    }
}
