//! The name of a key as AWS KMS takes it: key ID, key ARN, alias name or alias ARN.

use std::{fmt, str::FromStr};

use adcp_signing_core::KeyRef;

/// The longest identifier read; an ARN with the longest alias has some 330 characters.
const MAX_LEN: usize = 512;
const MAX_KEY_ID_LEN: usize = 128;
/// AWS KMS, `CreateAlias`: 256 characters with the prefix.
const MAX_ALIAS_LEN: usize = 256;

/// A key identifier of AWS KMS: a key ID, a key ARN, an alias name or an alias ARN.
///
/// `Debug` shows a hash only, since an ARN holds the account; [`expose`](Self::expose) gives the
/// text.
///
/// ```
/// use adcp_signing_aws_kms::KeyIdentifier;
///
/// let key: KeyIdentifier = "arn:aws-cn:kms:cn-north-1:111122223333:alias/adcp/buyer".parse()?;
/// assert_eq!(key.region(), Some("cn-north-1"));
/// assert!(!format!("{key:?}").contains("111122223333"));
/// # Ok::<(), adcp_signing_aws_kms::KeyIdentifierError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyIdentifier(String);

/// Why a text is not a key identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyIdentifierError {
    /// An ARN that is not one of a KMS key or alias.
    #[error(
        "not the ARN of a KMS key or alias; write arn:PARTITION:kms:REGION:ACCOUNT:key/KEY-ID or \
         arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME, with the account's 12 digits"
    )]
    Arn,
    /// An alias with a name that KMS does not allow.
    #[error("not a KMS alias; write alias/NAME, of letters, digits and the characters / _ - only")]
    Alias,
    /// Neither an ARN nor an alias, nor a key ID.
    #[error("not a KMS key ID; write the ID, an ARN, or alias/NAME for an alias")]
    KeyId,
}

/// The parts of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl KeyIdentifier {
    /// The identifier as KMS takes it. May hold an account: not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The Region of an ARN.
    pub fn region(&self) -> Option<&str> {
        self.arn().map(|arn| arn.region)
    }

    /// Whether this names the key through an alias, which can be moved to another key.
    pub fn is_alias(&self) -> bool {
        self.resource().starts_with("alias/")
    }

    /// Whether a key that a reply names by its ARN can be the one that this identifier asked for.
    /// `None` when the text is no key ARN.
    pub(crate) fn admits(&self, key_arn: &str) -> Option<bool> {
        let reply = Arn::parse(key_arn).ok()?;
        let replied_id = reply.resource.strip_prefix("key/")?;
        let same_place = self.arn().is_none_or(|arn| {
            (arn.partition, arn.region, arn.account)
                == (reply.partition, reply.region, reply.account)
        });
        let resource = self.resource();
        let same_key =
            self.is_alias() || resource.strip_prefix("key/").unwrap_or(resource) == replied_id;
        Some(same_place && same_key)
    }

    fn arn(&self) -> Option<Arn<'_>> {
        Arn::parse(&self.0).ok()
    }

    /// The identifier without what an ARN has before its resource.
    fn resource(&self) -> &str {
        self.arn().map_or(&self.0, |arn| arn.resource)
    }
}

impl FromStr for KeyIdentifier {
    type Err = KeyIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("arn:") {
            Arn::parse(text)?;
        } else if text.starts_with("alias/") {
            check_alias(text)?;
        } else {
            check_key_id(text)?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for KeyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIdentifier({})", KeyRef::new("aws-kms", &self.0))
    }
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Result<Self, KeyIdentifierError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = *parts else {
            return Err(KeyIdentifierError::Arn);
        };
        let well_formed = text.len() <= MAX_LEN
            && arn == "arn"
            && service == "kms"
            && is_partition(partition)
            && is_region(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit());
        let resource_is_good = match resource.strip_prefix("key/") {
            Some(key_id) => check_key_id(key_id).is_ok(),
            None => check_alias(resource).is_ok(),
        };
        if well_formed && resource_is_good {
            Ok(Self { partition, region, account, resource })
        } else {
            Err(KeyIdentifierError::Arn)
        }
    }
}

/// `aws`, `aws-cn`, `aws-us-gov`, `aws-iso`, and those to come.
fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Whether the text can be a Region's name. It becomes part of a host name.
pub(crate) fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn check_alias(text: &str) -> Result<(), KeyIdentifierError> {
    let name = text.strip_prefix("alias/").ok_or(KeyIdentifierError::Alias)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
    if !name.is_empty() && text.len() <= MAX_ALIAS_LEN && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(KeyIdentifierError::Alias)
    }
}

fn check_key_id(text: &str) -> Result<(), KeyIdentifierError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=MAX_KEY_ID_LEN).contains(&text.len()) && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(KeyIdentifierError::KeyId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn every_form_of_identifier_is_read() {
        for (text, region, is_alias) in [
            (ID, None, false),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", None, false),
            ("alias/adcp/buyer_1", None, true),
            ("arn:aws:kms:eu-west-1:111122223333:key/1234abcd", Some("eu-west-1"), false),
            ("arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/a", Some("us-gov-west-1"), true),
            ("arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1", Some("cn-north-1"), false),
        ] {
            let key: KeyIdentifier = text.parse().unwrap();
            assert_eq!((key.expose(), key.region(), key.is_alias()), (text, region, is_alias));
            assert!(!format!("{key:?}").contains(text), "{key:?}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        use KeyIdentifierError as E;

        for (text, expected) in [
            ("", E::KeyId),
            ("a key", E::KeyId),
            ("key/1234", E::KeyId),
            ("ALIAS/a", E::KeyId),
            ("alias/", E::Alias),
            ("alias/a b", E::Alias),
            ("alias/ä", E::Alias),
            ("arn:aws:s3:eu-west-1:111122223333:key/1", E::Arn),
            ("arn:aws:kms::111122223333:key/1", E::Arn),
            ("arn:aws:kms:evil.example/:111122223333:key/1", E::Arn),
            ("arn:aws:kms:eu-west-1:1111:key/1", E::Arn),
            ("arn:aws:kms:eu-west-1:111122223333:key/", E::Arn),
            ("arn:aws:kms:eu-west-1:111122223333:grant/1", E::Arn),
            ("arn:aws:kms:eu-west-1:111122223333:key/1:2", E::Arn),
            ("arn:gcp:kms:eu-west-1:111122223333:key/1", E::Arn),
            ("arn:aws:kms:eu-west-1:111122223333", E::Arn),
        ] {
            assert_eq!(text.parse::<KeyIdentifier>(), Err(expected), "{text}");
        }
        assert_eq!("k".repeat(129).parse::<KeyIdentifier>(), Err(E::KeyId));
        assert_eq!(format!("alias/{}", "k".repeat(251)).parse::<KeyIdentifier>(), Err(E::Alias));
    }

    #[test]
    fn a_reply_is_admitted_only_for_the_key_that_was_asked_for() {
        let arn = |resource: &str| format!("arn:aws:kms:eu-west-1:111122223333:{resource}");
        let reply = arn("key/k1");
        for (asked, expected) in [
            ("k1".to_owned(), true),
            ("k2".to_owned(), false),
            ("alias/a".to_owned(), true),
            (arn("key/k1"), true),
            (arn("key/k2"), false),
            (arn("alias/a"), true),
            ("arn:aws:kms:eu-west-2:111122223333:key/k1".to_owned(), false),
            ("arn:aws:kms:eu-west-1:999922223333:alias/a".to_owned(), false),
            ("arn:aws-cn:kms:eu-west-1:111122223333:key/k1".to_owned(), false),
        ] {
            let key: KeyIdentifier = asked.parse().unwrap();
            assert_eq!(key.admits(&reply), Some(expected), "{asked}");
        }
        let key: KeyIdentifier = "k1".parse().unwrap();
        for not_a_key_arn in ["", "k1", "arn:aws:kms:eu-west-1:111122223333:alias/a", "arn:"] {
            assert_eq!(key.admits(not_a_key_arn), None, "{not_a_key_arn}");
        }
    }
}
