//! What AWS KMS shows about how it keeps a key.

use adcp_signing_core::provider::{Concern, Inspection, Observation, Unseen};
use aws_sdk_kms::types::{KeyMetadata, OriginType};

use crate::{
    AwsKmsProvider, KeyIdentifier,
    failure::{self, Advice},
    key_policy,
};

impl AwsKmsProvider {
    /// What AWS KMS shows about how it keeps the key, and about who may use it.
    ///
    /// Needs `kms:DescribeKey` and `kms:GetKeyPolicy`, which signing does not; what is not allowed
    /// is reported as not seen.
    pub async fn inspect(&self) -> Inspection {
        let described = self.client().describe_key().key_id(self.key().expose()).send().await;
        let described = described.map_err(|error| failure::of(&error, Advice::Inspect));
        let metadata = described.as_ref().map(|reply| reply.key_metadata());
        let export = match metadata {
            Ok(metadata) => origin(metadata),
            Err(error) => Observation::of_failure(error, "kms:DescribeKey"),
        };
        // By its ARN: a policy is not to be had by an alias.
        let arn = metadata.ok().flatten().and_then(|metadata| metadata.arn());
        let name = match (arn, self.learned_arn()) {
            (Some(arn), _) | (None, Some(arn)) => arn,
            (None, None) => self.key().expose(),
        };
        let rotation = Observation::good("AWS KMS rotates no asymmetric keys");
        Inspection::new(export, rotation, self.policy(name).await)
    }

    async fn policy(&self, name: &str) -> Observation {
        if name.parse::<KeyIdentifier>().is_ok_and(|name| name.is_alias()) {
            return Observation::unseen(
                Unseen::NotPermitted,
                "the key's ARN is not known without kms:DescribeKey, and the policy is not to be had by an alias",
            );
        }
        // The only policy that a key has; LocalStack wants it named.
        match self.client().get_key_policy().key_id(name).policy_name("default").send().await {
            Ok(reply) => match reply.policy() {
                Some(policy) => key_policy::judged(policy, name.split(':').nth(4)),
                None => Observation::unseen(
                    Unseen::NotAnswered,
                    "AWS KMS answered without the key policy",
                ),
            },
            Err(error) => {
                let error = failure::of(&error, Advice::Inspect);
                Observation::of_failure(&error, "kms:GetKeyPolicy")
            }
        }
    }
}

fn origin(metadata: Option<&KeyMetadata>) -> Observation {
    match metadata.and_then(KeyMetadata::origin) {
        Some(OriginType::External) => Observation::concern(
            Concern::Imported,
            "the key material was imported (its origin is EXTERNAL), so a copy may be elsewhere; make a key in AWS KMS, \
             and rotate to it",
        ),
        Some(_) => Observation::good("AWS KMS hands out no private key"),
        None => Observation::unseen(Unseen::NotAnswered, "AWS KMS did not show the key's origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_is_not_shown_is_not_taken_for_a_good_one() {
        let of = |origin: Option<OriginType>| {
            let metadata = KeyMetadata::builder().key_id("k").set_origin(origin).build().unwrap();
            super::origin(Some(&metadata)).code()
        };
        assert_eq!(of(Some(OriginType::AwsKms)), "ok");
        assert_ne!(of(Some(OriginType::External)), "ok");
        assert_eq!(of(None), "not_answered");
        assert_eq!(origin(None).code(), "not_answered");
    }
}
