//! A bound on what is read of a reply: the SDK by itself reads whatever comes.

use aws_sdk_kms::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextMut,
    },
    error::BoxError,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};

/// The longest reply read: the public key of RSA-4096, its certificates' worth of members and all,
/// comes to less than 2 KiB.
const MAX_REPLY_LEN: usize = 256 * 1024;

/// A reply that is longer than any of AWS KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply is longer than 256 KiB")]
pub(crate) struct ReplyTooLong;

/// Ends the reading of a reply at its bound.
#[derive(Debug)]
pub(crate) struct ReplyLimit;

impl Intercept for ReplyLimit {
    fn name(&self) -> &'static str {
        "adcp-signing reply limit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().take_body();
        let bounded =
            Limited::new(body, MAX_REPLY_LEN).map_err(|error| match error
                .is::<http_body_util::LengthLimitError>(
            ) {
                true => BoxError::from(ReplyTooLong),
                false => error,
            });
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(bounded);
        Ok(())
    }
}
