//! Which hosts are AWS KMS, and not anyone else's.
//!
//! Session token and signed request go to the host of the endpoint. A key URI may come from
//! further away than the configuration, so it may name a host of AWS KMS itself only. Other hosts
//! under the same domains belong to customers of AWS: everybody can have one of
//! `execute-api.REGION.amazonaws.com`.

/// The domains of every partition that AWS publishes, the second of a pair for dual-stack
/// endpoints. They are those of the SDK's endpoint rules; a test compares the two.
const DOMAINS: [&str; 14] = [
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
];

/// Whether a host in lower case, without a port, is AWS KMS: `kms.REGION.DOMAIN`,
/// `kms-fips.REGION.DOMAIN`, or the name of a VPC endpoint for it,
/// `vpce-ID.kms.REGION.vpce.DOMAIN`.
pub(crate) fn is_aws_kms(host: &str) -> bool {
    DOMAINS.iter().filter_map(|domain| host.strip_suffix(domain)?.strip_suffix('.')).any(|rest| {
        match *rest.split('.').collect::<Vec<_>>().as_slice() {
            [service, region] => is_service(service) && is_region(region),
            [endpoint, service, region, "vpce"] => {
                is_vpc_endpoint(endpoint) && is_service(service) && is_region(region)
            }
            _ => false,
        }
    })
}

/// Whether a label is the name of a Region. `kms.s3.amazonaws.com` and
/// `kms.s3-eu-west-1.amazonaws.com` are buckets called `kms`.
fn is_region(label: &str) -> bool {
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match label.split('-').collect::<Vec<_>>().as_slice() {
        [partition, places @ .., number] => {
            letters(partition)
                && !places.is_empty()
                && places.iter().all(letters)
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_service(label: &str) -> bool {
    matches!(label, "kms" | "kms-fips")
}

fn is_vpc_endpoint(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    label.strip_prefix("vpce-").is_some_and(|id| !id.is_empty() && id.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

    use super::*;

    #[test]
    fn only_hosts_of_aws_kms_are_aws_kms() {
        for (host, expected) in [
            ("kms.eu-west-1.amazonaws.com", true),
            ("kms-fips.us-gov-west-1.amazonaws.com", true),
            ("kms.us-east-1.api.aws", true),
            ("kms.cn-north-1.amazonaws.com.cn", true),
            ("vpce-0f1e-ab12.kms.eu-west-1.vpce.amazonaws.com", true),
            ("vpce-0f1e-ab12-eu-west-1a.kms.eu-west-1.vpce.amazonaws.com", true),
            ("vpce-0f1e-ab12.kms-fips.us-east-1.vpce.amazonaws.com", true),
            ("vpce-0f1e-ab12.kms.cn-north-1.vpce.amazonaws.com.cn", true),
            // Hosts that customers of AWS have.
            ("abcde12345.execute-api.eu-west-1.amazonaws.com", false),
            ("bucket.s3.eu-west-1.amazonaws.com", false),
            ("kms.s3.amazonaws.com", false),
            ("kms.s3-eu-west-1.amazonaws.com", false),
            ("kms.s3-1.amazonaws.com", false),
            ("kms.eu-1.amazonaws.com", false),
            ("kms.eu-west-.amazonaws.com", false),
            ("kms.bucket.s3.amazonaws.com", false),
            ("vpce-0f1e-ab12.vpce-svc-0f1e.eu-west-1.vpce.amazonaws.com", false),
            ("kms.eu-west-1.vpce.amazonaws.com", false),
            ("vpce-.kms.eu-west-1.vpce.amazonaws.com", false),
            ("x.vpce-0f1e.kms.eu-west-1.vpce.amazonaws.com", false),
            // Names that only look alike.
            ("kms.eu-west-1.amazonaws.com.evil.example", false),
            ("kms.eu-west-1.evilamazonaws.com", false),
            ("kms.eu-west-1.amazonaws.com.", false),
            ("kms.eu-west-1..amazonaws.com", false),
            (".kms.eu-west-1.amazonaws.com", false),
            ("kms..amazonaws.com", false),
            ("kms-eu-west-1.amazonaws.com", false),
            ("xkms.eu-west-1.amazonaws.com", false),
            ("kms.eu_west.amazonaws.com", false),
            ("kms.amazonaws.com", false),
            ("amazonaws.com", false),
            ("kms.eu-west-1.amazonaws.co", false),
            ("", false),
        ] {
            assert_eq!(is_aws_kms(host), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn every_endpoint_that_the_sdk_knows_is_aws_kms() {
        for region in [
            "us-east-1",
            "eu-west-1",
            "cn-north-1",
            "us-gov-west-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eu-isoe-west-1",
            "us-isof-south-1",
            "eusc-de-east-1",
        ] {
            for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
                let params = Params::builder()
                    .region(region)
                    .use_fips(fips)
                    .use_dual_stack(dual_stack)
                    .build()
                    .unwrap();
                let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
                let host = endpoint.url().strip_prefix("https://").unwrap();
                assert!(is_aws_kms(host), "{host}");
                let service = if fips { "kms-fips." } else { "kms." };
                assert!(host.starts_with(service), "{host}");
                assert_eq!(host.contains(".api."), dual_stack, "{host}");
            }
        }
    }
}
