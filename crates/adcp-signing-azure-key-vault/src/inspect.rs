//! What Key Vault shows about how it keeps a key.

use adcp_signing_core::provider::{Concern, Inspection, Observation, Unseen};
use azure_security_keyvault_keys::models::{
    Key, KeyClientGetKeyOptions, KeyRotationPolicy, KeyRotationPolicyAction,
};

use crate::{
    AzureKeyVaultProvider,
    failure::{self, Operation},
    provider::in_time,
};

impl AzureKeyVaultProvider {
    /// What Key Vault shows about how it keeps the key. It does not show what a login may do.
    ///
    /// Needs the right to read the key's rotation policy, which signing does not; what is not
    /// allowed is reported as not seen.
    pub async fn inspect(&self) -> Inspection {
        let permissions = Observation::unseen(
            Unseen::NotShown,
            "Azure does not tell a login what it may do; see `az role assignment list --scope` for the key, or the \
             vault's access policies",
        );
        Inspection::new(self.export().await, self.rotation().await, permissions)
    }

    async fn export(&self) -> Observation {
        let (client, key) = (self.client(), self.key());
        let options = KeyClientGetKeyOptions {
            key_version: key.version().map(str::to_owned),
            ..KeyClientGetKeyOptions::default()
        };
        let reply = in_time(self.timeout(), client.get_key(key.name(), Some(options))).await;
        let reply = reply.and_then(|reply| {
            let key = reply.and_then(|reply| reply.into_model());
            key.map_err(|error| failure::of_call(self.key().service(), Operation::GetKey, &error))
        });
        match reply {
            Ok(key) => exportable(&key),
            Err(error) => Observation::of_failure(&error, "keys/get"),
        }
    }

    async fn rotation(&self) -> Observation {
        let (client, key) = (self.client(), self.key());
        let reply = in_time(self.timeout(), client.get_key_rotation_policy(key.name(), None)).await;
        let reply = reply.and_then(|reply| {
            let policy = reply.and_then(|reply| reply.into_model());
            policy.map_err(|error| failure::of_call(key.service(), Operation::GetKey, &error))
        });
        match reply {
            Ok(policy) => rotates(&policy),
            Err(error) => Observation::of_failure(
                &error,
                "the right to read the rotation policy (getrotationpolicy, or the data action \
                 Microsoft.KeyVault/vaults/keyrotationpolicies/read)",
            ),
        }
    }
}

fn exportable(key: &Key) -> Observation {
    let exportable = key.attributes.as_ref().and_then(|attributes| attributes.exportable);
    if exportable == Some(true) || key.release_policy.is_some() {
        return Observation::concern(
            Concern::Exportable,
            "the key can be released from the vault (`exportable`), which cannot be undone; make another without a \
             release policy, and rotate to it",
        );
    }
    Observation::good("the vault does not release the key")
}

fn rotates(policy: &KeyRotationPolicy) -> Observation {
    let actions = policy.lifetime_actions.iter().flatten();
    let mut kinds = actions.filter_map(|action| action.action.as_ref()?.type_prop.as_ref());
    if !kinds.any(|kind| *kind == KeyRotationPolicyAction::Rotate) {
        return Observation::good("the vault makes no version by itself");
    }
    Observation::concern(
        Concern::AutomaticRotation,
        "the vault makes new versions by itself (its rotation policy), which are not published; take the action Rotate \
         out (`az keyvault key rotation-policy update`), and rotate by hand once the next version is in the JWKS",
    )
}
