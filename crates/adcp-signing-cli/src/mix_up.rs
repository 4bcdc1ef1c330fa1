//! Messages that were made for another kind or profile than they are verified for.

use adcp_signing::{profile::MessageKind, rfc9421::Alphabet};

use crate::shapes::VerifyInput;

/// The option to try, where the message shows that it was made for another kind or profile.
pub(crate) fn suspected(input: &VerifyInput) -> Option<&'static str> {
    let profile = input.selector.profile().ok()?;
    let values = |name: &str| {
        let fields = input.message.headers.0.iter();
        let named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect::<String>()
    };
    let (described, signature) = (values("signature-input"), values("signature"));
    match profile.kind() {
        MessageKind::Request if described.contains("\"adcp/webhook-signing/") => {
            return Some("the tag is that of a webhook: --kind webhook?");
        }
        MessageKind::Webhook if described.contains("\"adcp/request-signing/") => {
            return Some("the tag is that of a request: --kind request?");
        }
        MessageKind::Webhook => return None,
        MessageKind::Request => {}
    }
    let is_legacy = profile.signature_alphabet() == Alphabet::UrlUnpadded;
    // The text between the first two colons.
    let bytes = signature.split(':').nth(1)?;
    if !is_legacy && (bytes.contains(['-', '_']) || bytes.len() % 4 != 0) {
        return Some("the signature is in the Base64URL of 3.0 and 3.1: --profile 3.1?");
    }
    if is_legacy && bytes.contains(['+', '/', '=']) {
        return Some("the signature is in the Base64 of 3.2 and later: --profile 3.2?");
    }
    None
}
