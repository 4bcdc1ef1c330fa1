//! The environment variables of one backend.

use std::{
    env,
    ffi::OsString,
    fmt::{self, Display},
    str::FromStr,
};

use crate::{
    keys::{Algorithm, KeyPurpose},
    provider::{
        ProviderError, ProviderErrorKind,
        toolkit::{ALGORITHMS, KeyOptions},
    },
};

/// The environment variables of one backend, `PREFIX_NAME`: read in one way by all of them, so that
/// a variable means the same everywhere and an error names the variable and never its value.
///
/// A variable that is empty counts as one that is not set.
///
/// ```
/// use adcp_signing_core::{provider::toolkit::Environment, KeyPurpose};
///
/// let given = |name: &str| match name {
///     "MY_HSM_KEY" => Some("buyer".into()),
///     "MY_HSM_PURPOSE" => Some("request-signing".into()),
///     _ => None,
/// };
/// let environment = Environment::through("MY_HSM", given);
/// assert_eq!(environment.needed("KEY", "the label of a key")?, "buyer");
/// assert_eq!(environment.key_options(None)?.purpose, KeyPurpose::RequestSigning);
/// # Ok::<(), adcp_signing_core::ProviderError>(())
/// ```
pub struct Environment<V = fn(&str) -> Option<OsString>> {
    prefix: &'static str,
    variable: V,
}

impl Environment {
    /// The variables of this process that start with `prefix` and an underscore.
    pub fn of_process(prefix: &'static str) -> Self {
        Self { prefix, variable: |name| env::var_os(name) }
    }
}

impl<V: Fn(&str) -> Option<OsString>> Environment<V> {
    /// Variables that `variable` looks up by their full names.
    pub fn through(prefix: &'static str, variable: V) -> Self {
        Self { prefix, variable }
    }

    /// The value of a variable, where it is set and not empty.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when it is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<String>, ProviderError> {
        match (self.variable)(&self.full(name)).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match value.into_string() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.refused(name, "not UTF-8")),
            },
        }
    }

    /// The value of a variable that must be set; `what` says in the error what to set it to.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when it is not set, or not UTF-8.
    pub fn needed(&self, name: &str, what: &str) -> Result<String, ProviderError> {
        self.get(name)?.ok_or_else(|| self.missing(name, what))
    }

    /// The value of a variable as a type, where it is set.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the type does not take it. The type's error is repeated, so it must not
    /// hold the value.
    pub fn parsed<T>(&self, name: &str) -> Result<Option<T>, ProviderError>
    where
        T: FromStr<Err: Display>,
    {
        self.get(name)?.map(|value| self.read(name, &value)).transpose()
    }

    /// The value of a variable that must be set, as a type.
    ///
    /// # Errors
    /// As [`needed`](Self::needed) and [`parsed`](Self::parsed).
    pub fn needed_as<T>(&self, name: &str, what: &str) -> Result<T, ProviderError>
    where
        T: FromStr<Err: Display>,
    {
        self.read(name, &self.needed(name, what)?)
    }

    /// What `PREFIX_ALG` (an RFC 9421 or JOSE name), `PREFIX_KID` and `PREFIX_PURPOSE` (an `adcp_use`
    /// value) say of the key. Without a default the purpose must be set.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when one of them has a value that it cannot have, or the purpose is missing.
    pub fn key_options(
        &self,
        default_purpose: Option<KeyPurpose>,
    ) -> Result<KeyOptions, ProviderError> {
        let one_of =
            |name: &str, allowed: &str| self.refused(name, format_args!("not one of {allowed}"));
        let purpose = match (self.get("PURPOSE")?, default_purpose) {
            (Some(name), _) => KeyPurpose::from_known(&name)
                .ok_or_else(|| one_of("PURPOSE", KeyPurpose::KNOWN_NAMES))?,
            (None, Some(default)) => default,
            (None, None) => {
                return Err(
                    self.missing("PURPOSE", format_args!("one of {}", KeyPurpose::KNOWN_NAMES))
                );
            }
        };
        let algorithm = self
            .get("ALG")?
            .map(|name| Algorithm::from_name(&name).ok_or_else(|| one_of("ALG", ALGORITHMS)));
        Ok(KeyOptions { algorithm: algorithm.transpose()?, key_id: self.get("KID")?, purpose })
    }

    /// The error for a variable with a value that it cannot have. The reason must not hold the
    /// value.
    pub fn refused(&self, name: &str, why: impl Display) -> ProviderError {
        configuration(format!("{} is refused: {why}", self.full(name)))
    }

    fn missing(&self, name: &str, what: impl Display) -> ProviderError {
        configuration(format!("{} is not set; set it to {what}", self.full(name)))
    }

    fn read<T: FromStr<Err: Display>>(&self, name: &str, value: &str) -> Result<T, ProviderError> {
        value.parse().map_err(|error| self.refused(name, error))
    }

    fn full(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

impl<V> fmt::Debug for Environment<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn configuration(message: String) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(
        set: &'a [(&'a str, &'a str)],
    ) -> Environment<impl Fn(&str) -> Option<OsString> + 'a> {
        Environment::through("X", |name| {
            set.iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_variable_is_read_by_its_full_name_and_an_empty_one_is_not_set() {
        let set = [("X_A", "7"), ("X_B", ""), ("C", "c")];
        let environment = environment(&set);
        for (name, expected) in [("A", Some("7")), ("B", None), ("C", None)] {
            assert_eq!(environment.get(name).unwrap().as_deref(), expected, "{name}");
        }
        assert_eq!(environment.parsed::<u8>("A").unwrap(), Some(7));
        assert_eq!(environment.needed_as::<u8>("A", "a number").unwrap(), 7);
        assert_eq!(environment.parsed::<u8>("B").unwrap(), None);
    }

    #[test]
    fn the_options_of_a_key_are_its_algorithm_key_id_and_purpose() {
        let all = [("X_ALG", "ed25519"), ("X_KID", "k"), ("X_PURPOSE", "webhook-signing")];
        let default = Some(KeyPurpose::RequestSigning);
        let options = environment(&all).key_options(default.clone()).unwrap();
        assert_eq!(options.algorithm, Some(Algorithm::Ed25519));
        assert_eq!(
            (options.key_id.as_deref(), options.purpose),
            (Some("k"), KeyPurpose::WebhookSigning)
        );
        assert_eq!(environment(&[]).key_options(default).unwrap(), KeyOptions::default());
    }

    #[test]
    fn an_algorithm_goes_by_its_rfc_9421_or_jose_name() {
        for name in ["ecdsa-p256-sha256", "ES256"] {
            let options = environment(&[("X_ALG", name)])
                .key_options(Some(KeyPurpose::RequestSigning))
                .unwrap();
            assert_eq!(options.algorithm, Some(Algorithm::EcdsaP256Sha256), "{name}");
        }
    }

    #[test]
    fn an_error_names_the_variable_and_what_it_takes_but_not_its_value() {
        let unreadable = Environment::through("X", |_| Some(not_utf8()));
        for (error, expected) in [
            (
                environment(&[]).needed("KEY", "a key").err(),
                "X_KEY is not set; set it to a key".to_owned(),
            ),
            (
                environment(&[("X_KEY", "secret")]).needed_as::<u8>("KEY", "a number").err(),
                "X_KEY is refused: invalid digit found in string".to_owned(),
            ),
            (
                environment(&[]).key_options(None).err(),
                format!("X_PURPOSE is not set; set it to one of {}", KeyPurpose::KNOWN_NAMES),
            ),
            (
                environment(&[("X_PURPOSE", "secret")]).key_options(None).err(),
                format!("X_PURPOSE is refused: not one of {}", KeyPurpose::KNOWN_NAMES),
            ),
            (
                environment(&[("X_PURPOSE", "tmp-signing"), ("X_ALG", "secret")])
                    .key_options(None)
                    .err(),
                format!("X_ALG is refused: not one of {ALGORITHMS}"),
            ),
            (unreadable.get("KID").err(), "X_KID is refused: not UTF-8".to_owned()),
        ] {
            let error = error.unwrap();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            assert_eq!(error.to_string(), format!("configuration: {expected}"));
        }
    }

    #[cfg(unix)]
    fn not_utf8() -> OsString {
        std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])
    }

    #[cfg(windows)]
    fn not_utf8() -> OsString {
        std::os::windows::ffi::OsStringExt::from_wide(&[0xd800])
    }
}
