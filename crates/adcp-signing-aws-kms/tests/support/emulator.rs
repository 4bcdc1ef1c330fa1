//! The servers that the environment names, where they differ from AWS KMS, and what an
//! administrator does to them.

use std::net::SocketAddr;

use adcp_signing_aws_kms::{Endpoint, KeyIdentifier};
use adcp_signing_core::Algorithm;
use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyUsageType},
};

/// Where a server does not do what AWS KMS does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Keys of this kind cannot be made.
    NoEd25519,
    /// A key that cannot sign with the algorithm of a request is not an `InvalidKeyUsageException`.
    WrongAlgorithmIsInternal,
    /// `GetPublicKey` hands out the key while its deletion is pending.
    PublicKeyWhilePendingDeletion,
    /// Any credentials may do anything.
    NoPolicies,
}

/// What each server does otherwise than AWS KMS, and why. A test checks that it still does.
const LIES: [(&str, Lie, &str); 5] = [
    (LOCALSTACK, Lie::NoEd25519, "LocalStack 4 knows no ECC_NIST_EDWARDS25519"),
    (
        LOCALSTACK,
        Lie::WrongAlgorithmIsInternal,
        "LocalStack 4 answers InternalError where the key is of another kind",
    ),
    (LOCALSTACK, Lie::NoPolicies, "LocalStack enforces no policies in its free edition"),
    (
        MINISTACK,
        Lie::PublicKeyWhilePendingDeletion,
        "ministack looks at the key's state in Sign only",
    ),
    (MINISTACK, Lie::NoPolicies, "ministack enforces no policies"),
];

const LOCALSTACK: &str = "LocalStack";
const MINISTACK: &str = "ministack";

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    endpoint: String,
}

impl Emulator {
    pub(crate) fn localstack() -> Option<Self> {
        Self::named(LOCALSTACK, "ADCP_TEST_LOCALSTACK_ENDPOINT")
    }

    pub(crate) fn ministack() -> Option<Self> {
        Self::named(MINISTACK, "ADCP_TEST_MINISTACK_ENDPOINT")
    }

    /// Every server that is there.
    pub(crate) fn all() -> Vec<Self> {
        [Self::localstack(), Self::ministack()].into_iter().flatten().collect()
    }

    /// A server of the test's own. Its administrator's credentials are the environment's, or any:
    /// an emulator takes all.
    pub(crate) fn at(name: &'static str, address: SocketAddr) -> Self {
        Self { name, endpoint: format!("http://{address}") }
    }

    /// Where the environment does not name the server, the reason is printed, and under `CI=true`
    /// the test fails.
    fn named(name: &'static str, variable: &str) -> Option<Self> {
        let variables = [variable, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
        let value = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
        if let Some(missing) = variables.into_iter().find(|variable| value(variable).is_none()) {
            println!("skipped: {missing} is not set, so {name} is not tested against");
            assert!(
                value("CI").is_none_or(|value| value != "true"),
                "{name} is needed under CI; set {missing}"
            );
            return None;
        }
        Some(Self { name, endpoint: value(variable)? })
    }

    /// The reason why the server differs from AWS KMS in this, where it does.
    pub(crate) fn lie(&self, lie: Lie) -> Option<&'static str> {
        LIES.into_iter()
            .find(|(name, told, _)| (*name, *told) == (self.name, lie))
            .map(|(_, _, why)| why)
    }

    pub(crate) fn has(&self, algorithm: Algorithm) -> bool {
        algorithm != Algorithm::Ed25519 || self.lie(Lie::NoEd25519).is_none()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.parse().unwrap()
    }

    /// For a proxy in front of it.
    pub(crate) fn socket(&self) -> SocketAddr {
        self.endpoint()
            .as_str()
            .strip_prefix("http://")
            .unwrap()
            .parse()
            .expect("an address and a port")
    }

    /// A client of the administrator.
    pub(crate) async fn admin(&self) -> Client {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let config = aws_sdk_kms::config::Builder::from(&config).endpoint_url(&self.endpoint);
        Client::from_conf(config.build())
    }

    /// Makes a key, and says its ARN.
    pub(crate) async fn new_key(&self, spec: KeySpec) -> KeyIdentifier {
        self.try_new_key(spec).await.unwrap().parse().unwrap()
    }

    pub(crate) async fn try_new_key(&self, spec: KeySpec) -> Result<String, String> {
        let made =
            self.admin().await.create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
        let made = made.send().await.map_err(|error| format!("{error:?}"))?;
        Ok(made.key_metadata().unwrap().arn().unwrap().to_owned())
    }

    /// Gives the key an alias, or moves the alias to it.
    pub(crate) async fn point(&self, alias: &str, key: &KeyIdentifier) {
        let admin = self.admin().await;
        // By its ID: LocalStack takes an ARN for the target of an alias, and then does not find the
        // key.
        let id = key.expose().rsplit('/').next().unwrap();
        let moved = admin.update_alias().alias_name(alias).target_key_id(id).send().await;
        if moved.is_err() {
            admin.create_alias().alias_name(alias).target_key_id(id).send().await.unwrap();
        }
    }
}

/// The smallest key that signs with the algorithm.
pub(crate) fn key_spec(algorithm: Algorithm) -> KeySpec {
    match algorithm {
        Algorithm::Ed25519 => KeySpec::EccNistEdwards25519,
        Algorithm::EcdsaP256Sha256 => KeySpec::EccNistP256,
        _ => KeySpec::Rsa2048,
    }
}

/// A name that no other test has.
pub(crate) fn unique_alias() -> String {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("alias/adcp-{}-{nanos:x}", std::process::id())
}
