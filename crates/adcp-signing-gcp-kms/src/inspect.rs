//! What Cloud KMS shows about how it keeps a key, and about what the credentials may do.

use adcp_signing_core::provider::{Concern, Inspection, Observation};
use google_cloud_gax::{options::RequestOptionsBuilder as _, retry_policy::NeverRetry};

use crate::{
    GcpKmsProvider,
    failure::{self, Asked},
};

/// What a signer does not need, of what can be granted on a key. Signing needs
/// `cloudkms.cryptoKeyVersions.useToSign` and `.viewPublicKey`.
const BEYOND_SIGNING: [&str; 6] = [
    "cloudkms.cryptoKeys.setIamPolicy",
    "cloudkms.cryptoKeys.update",
    "cloudkms.cryptoKeyVersions.create",
    "cloudkms.cryptoKeyVersions.destroy",
    "cloudkms.cryptoKeyVersions.restore",
    "cloudkms.cryptoKeyVersions.update",
];

impl GcpKmsProvider {
    /// What Cloud KMS shows about how it keeps the key, and about what the credentials may do.
    ///
    /// Needs `cloudkms.cryptoKeyVersions.get`, which signing does not; what is not allowed is
    /// reported as not seen.
    pub async fn inspect(&self) -> Inspection {
        let rotation = Observation::good("Cloud KMS rotates no asymmetric keys");
        Inspection::new(self.origin().await, rotation, self.permissions().await)
    }

    async fn origin(&self) -> Observation {
        let call = self
            .client()
            .get_crypto_key_version()
            .set_name(self.key().expose())
            .with_retry_policy(NeverRetry)
            .send();
        match failure::in_time(self.timeout(), Asked::Inspect, call).await {
            Ok(version) if version.import_job.is_empty() => {
                Observation::good("the key was made in Cloud KMS, which hands out no private key")
            }
            Ok(_) => Observation::concern(
                Concern::Imported,
                "the key version was imported, so a copy may be elsewhere; make one in Cloud KMS, and rotate to it",
            ),
            Err(error) => Observation::of_failure(&error, "cloudkms.cryptoKeyVersions.get"),
        }
    }

    async fn permissions(&self) -> Observation {
        let call = self
            .client()
            .test_iam_permissions()
            .set_resource(self.key().parent())
            .set_permissions(BEYOND_SIGNING)
            .with_retry_policy(NeverRetry)
            .send();
        let granted = match failure::in_time(self.timeout(), Asked::Inspect, call).await {
            Ok(reply) => reply.permissions,
            Err(error) => {
                return Observation::of_failure(&error, "the right to ask for its own rights");
            }
        };
        let granted: Vec<_> =
            BEYOND_SIGNING.into_iter().filter(|name| granted.iter().any(|it| it == name)).collect();
        if granted.is_empty() {
            return Observation::good("the credentials may not change the key or who may use it");
        }
        Observation::concern(
            Concern::WidePermissions,
            format!(
                "the credentials may do more than sign: {}; grant the signer roles/cloudkms.signerVerifier on the key, \
                 and no wider role",
                granted.join(", ")
            ),
        )
    }
}
