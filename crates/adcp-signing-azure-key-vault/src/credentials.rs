//! Where access tokens come from: from the environment, as the clients of Azure find them, or from
//! the caller.

use std::{
    ffi::OsString,
    fmt,
    sync::{Arc, OnceLock},
};

use adcp_signing_core::{
    ProviderError,
    provider::toolkit::{Environment, ServiceAnswer},
};
use async_trait::async_trait;
use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::ClientOptions,
    time::{Duration, OffsetDateTime},
};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, DeveloperToolsCredential,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use crate::{
    config::configuration,
    failure::{answer_to_credentials, may_pass},
};

/// The variables that the clients of Azure read.
const VARIABLES: &str = "AZURE";
/// Those that App Service, Functions and Container Apps set where they give out tokens.
const OF_MANAGED_IDENTITY: &str = "IDENTITY";
const TENANT_ID: &str = "TENANT_ID";
const CLIENT_ID: &str = "CLIENT_ID";
const CLIENT_SECRET: &str = "CLIENT_SECRET";
/// Microsoft Entra ID at another address than the cloud's.
const AUTHORITY_HOST: &str = "AUTHORITY_HOST";
const FEDERATED_TOKEN_FILE: &str = "FEDERATED_TOKEN_FILE";
/// What the default credential of Azure's other clients is told its choice by.
const CHOICE: &str = "TOKEN_CREDENTIALS";
const CHOICES: &str = "one of prod, dev, EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, \
                       AzureCliCredential, AzureDeveloperCliCredential";
/// The client asks again within five minutes of the end, so a token that nobody renews is said to
/// last a day.
const STATIC_LIFETIME: Duration = Duration::days(1);

/// Which credentials the environment chooses.
#[derive(Clone, PartialEq, Eq)]
enum Source {
    ClientSecret {
        tenant: String,
        client: String,
        secret: String,
    },
    /// A service account of Kubernetes, federated with an application of Entra.
    WorkloadIdentity,
    /// The identity of the machine, or the user-assigned one of this client ID.
    ManagedIdentity {
        client: Option<String>,
    },
    AzureCli,
    AzureDeveloperCli,
    /// The login of either command line.
    DeveloperTools,
    /// Nothing is set: the login of a command line, else the identity of the machine, or the
    /// user-assigned one.
    Whatever {
        client: Option<String>,
    },
}

/// The credentials that the environment chooses, of Microsoft Entra ID in `cloud` unless the
/// environment says another address. Nothing is asked for a token yet.
///
/// # Errors
/// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when what is set does not make credentials.
pub(crate) fn from_env(
    variable: &impl Fn(&str) -> Option<OsString>,
    cloud: CloudConfiguration,
    options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, ProviderError> {
    let cloud = match Environment::through(VARIABLES, variable).get(AUTHORITY_HOST)? {
        Some(host) => {
            let mut custom = CustomConfiguration::default();
            custom.authority_host = host;
            custom.into()
        }
        None => cloud,
    };
    let options = ClientOptions { cloud: Some(Arc::new(cloud)), ..options };
    // The error may repeat what it was given.
    build(Source::chosen(variable)?, options).map_err(|_| {
        configuration(
            "the Azure credentials that the environment names cannot be used; check AZURE_TENANT_ID, AZURE_CLIENT_ID, \
             AZURE_AUTHORITY_HOST and AZURE_FEDERATED_TOKEN_FILE",
        )
    })
}

impl Source {
    fn chosen(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Self, ProviderError> {
        let environment = Environment::through(VARIABLES, variable);
        let is_set = |name| environment.get(name).map(|value| value.is_some());
        let client_secret = || {
            Ok(Self::ClientSecret {
                tenant: environment
                    .needed(TENANT_ID, "the tenant's ID; a client secret needs it")?,
                client: environment
                    .needed(CLIENT_ID, "the application's ID; a client secret needs it")?,
                secret: environment.needed(CLIENT_SECRET, "the secret of the application")?,
            })
        };
        let managed_identity = || Ok(Self::ManagedIdentity { client: environment.get(CLIENT_ID)? });
        let choice = environment.get(CHOICE)?.map(|choice| choice.to_ascii_lowercase());
        match choice.as_deref() {
            Some("environmentcredential") => client_secret(),
            Some("workloadidentitycredential") => Ok(Self::WorkloadIdentity),
            Some("managedidentitycredential") => managed_identity(),
            Some("azureclicredential") => Ok(Self::AzureCli),
            Some("azuredeveloperclicredential") => Ok(Self::AzureDeveloperCli),
            Some("dev") => Ok(Self::DeveloperTools),
            None | Some("prod") if is_set(CLIENT_SECRET)? => client_secret(),
            None | Some("prod") if is_set(FEDERATED_TOKEN_FILE)? => Ok(Self::WorkloadIdentity),
            Some("prod") => managed_identity(),
            None => match Environment::through(OF_MANAGED_IDENTITY, variable).get("ENDPOINT")? {
                Some(_) => managed_identity(),
                None => Ok(Self::Whatever { client: environment.get(CLIENT_ID)? }),
            },
            Some(_) => Err(environment.refused(CHOICE, format_args!("not {CHOICES}"))),
        }
    }
}

fn build(
    source: Source,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(match source {
        Source::ClientSecret { tenant, client, secret } => {
            let options = ClientSecretCredentialOptions { client_options };
            ClientSecretCredential::new(&tenant, client, Secret::new(secret), Some(options))?
        }
        Source::WorkloadIdentity => {
            let credential_options = ClientAssertionCredentialOptions { client_options };
            let options = WorkloadIdentityCredentialOptions {
                credential_options,
                ..WorkloadIdentityCredentialOptions::default()
            };
            WorkloadIdentityCredential::new(Some(options))?
        }
        Source::ManagedIdentity { client } => {
            let user_assigned_id = client.map(UserAssignedId::ClientId);
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id,
                client_options,
            }))?
        }
        Source::AzureCli => AzureCliCredential::new(None)?,
        Source::AzureDeveloperCli => AzureDeveloperCliCredential::new(None)?,
        Source::DeveloperTools => DeveloperToolsCredential::new(None)?,
        Source::Whatever { client } => Arc::new(FirstOf {
            sources: [
                build(Source::DeveloperTools, client_options.clone())?,
                build(Source::ManagedIdentity { client }, client_options)?,
            ],
            found: OnceLock::new(),
        }),
    })
}

/// No credentials were found where none are named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no Azure credentials were found")]
pub(crate) struct NoCredentials {
    /// What the metadata service answered: the machine has no identity, or is not one of Azure, and
    /// others have a metadata service at the same address.
    pub(crate) refused: Option<ServiceAnswer>,
}

impl NoCredentials {
    pub(crate) const ADVICE: &str = "no Azure credentials were found: run `az login`, set AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                                     AZURE_CLIENT_SECRET, or give the machine a managed identity";
}

/// The first source that gives a token, and from then on that one alone.
struct FirstOf {
    sources: [Arc<dyn TokenCredential>; 2],
    found: OnceLock<Arc<dyn TokenCredential>>,
}

#[async_trait]
impl TokenCredential for FirstOf {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if let Some(found) = self.found.get() {
            return found.get_token(scopes, options).await;
        }
        let mut refused = None;
        for source in &self.sources {
            match source.get_token(scopes, options.clone()).await {
                Ok(token) => {
                    // Whoever was first decides; all of them just gave a token.
                    self.found.get_or_init(|| Arc::clone(source));
                    return Ok(token);
                }
                Err(error) => match answer_to_credentials(&error) {
                    Some(answer) if may_pass(&answer) => return Err(error),
                    Some(answer) => refused = Some(answer),
                    None => {}
                },
            }
        }
        Err(Error::new(ErrorKind::Credential, NoCredentials { refused }))
    }
}

impl fmt::Debug for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOf").finish_non_exhaustive()
    }
}

/// A bearer token that nobody renews. `Secret` keeps it out of `Debug`.
#[derive(Debug)]
struct StaticToken(Secret);

/// Credentials of a token that nobody renews.
///
/// # Errors
/// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when the token cannot be in a header.
pub(crate) fn static_token(token: &str) -> Result<Arc<dyn TokenCredential>, ProviderError> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(configuration(
            "the access token (ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN, with_access_token) is empty or holds characters that a header cannot; print one with \
             `az account get-access-token --resource https://vault.azure.net`",
        ));
    }
    Ok(Arc::new(StaticToken(Secret::new(token.to_owned()))))
}

#[async_trait]
impl TokenCredential for StaticToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + STATIC_LIFETIME))
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::ProviderErrorKind;
    use adcp_signing_testkit::{Action, CannedReply, FaultProxy};
    use azure_core::http::StatusCode;

    use super::*;
    use crate::{
        failure::{self, Operation, Service},
        transport::{self, Roots},
    };

    const TENANT_ID: &str = "AZURE_TENANT_ID";
    const CLIENT_ID: &str = "AZURE_CLIENT_ID";
    const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
    const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
    const FEDERATED_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
    const CHOICE: &str = "AZURE_TOKEN_CREDENTIALS";
    const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";

    fn lookup(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    }

    fn chosen(variables: &[(&str, &str)]) -> Result<Source, ProviderError> {
        Source::chosen(&lookup(variables))
    }

    #[test]
    fn the_environment_chooses_one_source() {
        let secret = [(TENANT_ID, "t"), (CLIENT_ID, "c"), (CLIENT_SECRET, "s")];
        let by_secret = || Source::ClientSecret {
            tenant: "t".to_owned(),
            client: "c".to_owned(),
            secret: "s".to_owned(),
        };
        let with = |more: &[(&'static str, &'static str)]| [&secret, more].concat();
        let of = |client: &str| Source::ManagedIdentity { client: Some(client.to_owned()) };
        for (variables, expected) in [
            (secret.to_vec(), by_secret()),
            (with(&[(FEDERATED_TOKEN_FILE, "/f")]), by_secret()),
            (with(&[(CHOICE, "prod")]), by_secret()),
            (with(&[(CHOICE, "EnvironmentCredential")]), by_secret()),
            (with(&[(CHOICE, "ManagedIdentityCredential")]), of("c")),
            (with(&[(CHOICE, "dev")]), Source::DeveloperTools),
            (with(&[(CHOICE, "AzureCliCredential")]), Source::AzureCli),
            (with(&[(CHOICE, "AzureDeveloperCliCredential")]), Source::AzureDeveloperCli),
            (with(&[(CHOICE, "WorkloadIdentityCredential")]), Source::WorkloadIdentity),
            (vec![(FEDERATED_TOKEN_FILE, "/f"), (CLIENT_ID, "c")], Source::WorkloadIdentity),
            (vec![(IDENTITY_ENDPOINT, "http://i"), (CLIENT_ID, "c")], of("c")),
            (vec![(CHOICE, "prod")], Source::ManagedIdentity { client: None }),
            (vec![(CLIENT_SECRET, "")], Source::Whatever { client: None }),
            (vec![(CLIENT_ID, "c")], Source::Whatever { client: Some("c".to_owned()) }),
            (vec![], Source::Whatever { client: None }),
        ] {
            assert!(chosen(&variables).unwrap() == expected, "{variables:?}");
        }
    }

    #[test]
    fn half_a_source_is_refused_and_no_value_is_repeated() {
        for (variables, named) in [
            (&[(CLIENT_SECRET, "very-secret"), (CLIENT_ID, "c")] as &[_], TENANT_ID),
            (&[(CLIENT_SECRET, "very-secret"), (TENANT_ID, "t")], CLIENT_ID),
            (
                &[(CHOICE, "EnvironmentCredential"), (TENANT_ID, "t"), (CLIENT_ID, "c")],
                CLIENT_SECRET,
            ),
            (&[(CHOICE, "very-secret")], CHOICE),
        ] {
            let error = chosen(variables).err().unwrap();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("very-secret"), "{text}");
        }
    }

    /// A source of tokens over TLS that answers as Microsoft Entra ID does.
    async fn entra(reply: CannedReply) -> FaultProxy {
        let entra = FaultProxy::start_tls("127.0.0.1:9", &[]).await.unwrap();
        entra.set(Action::Reply(reply));
        entra
    }

    async fn token_of(entra: &FaultProxy, tenant: &str) -> Result<AccessToken, ProviderError> {
        let authority = format!("https://{}", entra.address());
        let variables = [
            (AUTHORITY_HOST, authority.as_str()),
            (TENANT_ID, tenant),
            (CLIENT_ID, "secret-client"),
            (CLIENT_SECRET, "very-secret"),
        ];
        let roots = Roots::from_pem(entra.certificate().unwrap().as_bytes()).unwrap();
        let credential = from_env(
            &lookup(&variables),
            CloudConfiguration::AzurePublic,
            transport::to_credentials(Some(&roots))?,
        )?;
        let token = credential.get_token(&["https://vault.azure.net/.default"], None).await;
        token.map_err(|error| failure::of_call(Service::KeyVault, Operation::GetKey, &error))
    }

    #[tokio::test]
    async fn a_client_secret_buys_a_token_and_its_failures_are_told_apart() {
        let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ.bought"}"#;
        let bought = token_of(&entra(CannedReply::new(200).body(token)).await, "t").await.unwrap();
        assert_eq!(bought.token.secret(), "eyJ.bought");

        let refused = r#"{"error":"invalid_client","error_description":"AADSTS7000215: secret-client","error_codes":[7000215]}"#;
        let too_long = "x".repeat(300 * 1024);
        for (what, reply, expected) in [
            (
                "a wrong secret",
                CannedReply::new(401).body(refused),
                ProviderErrorKind::AccessDenied,
            ),
            (
                "trouble",
                CannedReply::new(503).body(r#"{"error":"temporarily_unavailable"}"#),
                ProviderErrorKind::Unavailable,
            ),
            ("too much", CannedReply::new(200).body(too_long), ProviderErrorKind::Unavailable),
            ("a page", CannedReply::new(502).body("<html>"), ProviderErrorKind::Unavailable),
        ] {
            let entra = entra(reply).await;
            let error = token_of(&entra, "t").await.err().unwrap();
            assert_eq!(error.kind(), expected, "{what}: {error}");
            assert_eq!(entra.requests(), 1, "{what}");
            assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
        }

        let entra = entra(CannedReply::new(200).body(token)).await;
        entra.refuse().await.unwrap();
        let error = token_of(&entra, "t").await.err().unwrap();
        assert_eq!(error.kind(), ProviderErrorKind::Unavailable, "{error}");
        let error = token_of(&entra, "no tenant / secret").await.err().unwrap();
        assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_token_shows_in_no_debug_and_is_checked() {
        let credential = static_token("eyJ.secret").unwrap();
        assert!(!format!("{credential:?}").contains("secret"), "{credential:?}");
        for token in ["", "a b", "a\nb", "ä"] {
            let error = static_token(token).err().unwrap();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{token:?}");
        }
    }

    /// Gives tokens or not, and counts how often it is asked.
    #[derive(Debug)]
    struct Scripted(bool, std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl TokenCredential for Scripted {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            match self.0 {
                true => Ok(AccessToken::new("token", OffsetDateTime::now_utc())),
                false => Err(Error::with_message(ErrorKind::Credential, "not here")),
            }
        }
    }

    /// Is answered with this status, as by a metadata service.
    #[derive(Debug)]
    struct Answered(u16);

    #[async_trait]
    impl TokenCredential for Answered {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let kind = ErrorKind::HttpResponse {
                status: StatusCode::from(self.0),
                error_code: None,
                raw_response: None,
            };
            Err(Error::new(ErrorKind::Credential, kind.into_error()))
        }
    }

    /// A machine of another cloud answers at the same address, and one of Azure without an identity
    /// answers 400: both have no credentials. One that is busy may have some later.
    #[tokio::test]
    async fn a_metadata_service_that_refuses_has_no_credentials_and_a_busy_one_may() {
        for (status, expected) in [
            (400, ProviderErrorKind::Configuration),
            (404, ProviderErrorKind::Configuration),
            (429, ProviderErrorKind::Unavailable),
            (503, ProviderErrorKind::Unavailable),
        ] {
            let not_here = Arc::new(Scripted(false, 0.into()));
            let sources: [Arc<dyn TokenCredential>; 2] = [not_here, Arc::new(Answered(status))];
            let first = FirstOf { sources, found: OnceLock::new() };
            let error = first.get_token(&["scope"], None).await.unwrap_err();
            let failure = failure::of_call(Service::KeyVault, Operation::GetKey, &error);
            assert_eq!(failure.kind(), expected, "{status}: {failure}");
            assert_eq!(
                failure.to_string().contains("az login"),
                expected == ProviderErrorKind::Configuration,
                "{failure}"
            );
            let source = std::error::Error::source(&failure).unwrap().to_string();
            assert!(source.contains(&format!("HTTP {status}")), "{source}");
        }
    }

    /// The program that is asked for is not there: `sh` finds none of this name in `/bin`.
    #[tokio::test]
    async fn a_login_of_a_tool_that_is_not_installed_is_a_configuration_error() {
        if std::process::Command::new("azd").arg("version").output().is_ok() {
            return;
        }
        let credential = build(Source::AzureDeveloperCli, ClientOptions::default()).unwrap();
        let error = credential.get_token(&["https://vault.azure.net/.default"], None).await;
        let failure = failure::of_call(Service::KeyVault, Operation::GetKey, &error.unwrap_err());
        assert_eq!(failure.kind(), ProviderErrorKind::Configuration, "{failure}");
        assert!(failure.to_string().contains("not on the PATH"), "{failure}");
    }

    #[tokio::test]
    async fn the_first_source_that_gives_a_token_is_kept_and_none_is_said_so() {
        for (gives, asked) in
            [([true, true], [2, 0]), ([false, true], [1, 2]), ([false, false], [2, 2])]
        {
            let sources = gives.map(|gives| Arc::new(Scripted(gives, 0.into())));
            let first = FirstOf {
                sources: sources.clone().map(|source| source as Arc<dyn TokenCredential>),
                found: OnceLock::new(),
            };
            for _ in 0..2 {
                match first.get_token(&["scope"], None).await {
                    Ok(_) => assert!(gives.contains(&true)),
                    Err(error) => {
                        assert!(error.downcast_ref::<NoCredentials>().is_some(), "{error:?}")
                    }
                }
            }
            let counted = sources.map(|source| source.1.load(std::sync::atomic::Ordering::SeqCst));
            assert_eq!(counted, asked, "{gives:?}");
        }
    }
}
