//! What a counterparty's verifier will ask, for a signer that signs only where it is asked to.

use super::{BodyReading, Received};
use crate::{
    operation::{
        Posture, RequestSigningCapability, Transport, registers_webhook_credentials, resolve,
    },
    profile::Profile,
    rfc9421::Request,
};

/// What an agent that advertises this capability asks of a request, by the rules of step 0.
///
/// [`Posture::Undetermined`] where its verifier could not tell the operation, or would refuse the
/// request: sign it. A request whose body registers webhook credentials has to be signed wherever
/// signatures are verified, whatever the lists say.
///
/// ```
/// use adcp_signing_core::{
///     FieldLine, Profile, Request, RequestSigningCapability, Transport, WireVersion,
///     operation::Posture,
///     verify::posture_of,
/// };
///
/// let seller = RequestSigningCapability::from_json(
///     br#"{"supported":true,"covers_content_digest":"required","required_for":["create_media_buy"]}"#,
/// )?;
/// let profile = Profile::request(WireVersion::V3_2);
/// let fields = [FieldLine::new("Content-Type", "application/json")];
/// let ask = |url| {
///     let request = Request::new("POST", url, &fields, b"{}");
///     posture_of(&profile, &request, &Transport::RestPath, &seller)
/// };
/// assert_eq!(ask("https://seller.example.com/create_media_buy"), Posture::Required);
/// assert_eq!(ask("https://seller.example.com/get_products"), Posture::Unlisted);
/// # Ok::<(), adcp_signing_core::CapabilityError>(())
/// ```
pub fn posture_of(
    profile: &Profile,
    request: &Request<'_>,
    transport: &Transport,
    capability: &RequestSigningCapability,
) -> Posture {
    if !capability.supported() {
        return Posture::Unlisted;
    }
    let Ok(received) = Received::new(profile, request, BodyReading::Document) else {
        return Posture::Undetermined;
    };
    let message = received.message();
    let Ok(resolved) = resolve(transport, &message.target(), &message.body()) else {
        return Posture::Undetermined;
    };
    let posture = capability.posture(&resolved);
    if registers_webhook_credentials(&message.body(), &resolved) {
        posture.max(Posture::Required)
    } else {
        posture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        operation::{DigestPolicy, List},
        profile::WireVersion,
        rfc9421::FieldLine,
    };

    fn ask(url: &str, body: &[u8], transport: &Transport) -> Posture {
        let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_operations(List::Required, ["create_media_buy"])
            .and_then(|asked| asked.with_operations(List::Warn, ["update_media_buy"]))
            .and_then(|asked| asked.with_protocol_methods(List::Supported, ["tasks/cancel"]))
            .unwrap();
        ask_of(&capability, url, body, transport)
    }

    fn ask_of(
        capability: &RequestSigningCapability,
        url: &str,
        body: &[u8],
        transport: &Transport,
    ) -> Posture {
        let profile = Profile::request(WireVersion::V3_2);
        let fields = [FieldLine::new("Content-Type", "application/json")];
        posture_of(&profile, &Request::new("POST", url, &fields, body), transport, capability)
    }

    #[test]
    fn the_lists_are_read_as_the_verifier_reads_them() {
        const MCP: &str = "https://seller.example.com/mcp";
        let call = |name: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}"}}}}"#
            )
        };
        for (operation, posture) in [
            ("create_media_buy", Posture::Required),
            ("update_media_buy", Posture::Warn),
            ("get_products", Posture::Unlisted),
        ] {
            assert_eq!(ask(MCP, call(operation).as_bytes(), &Transport::Mcp), posture);
            let url = format!("https://seller.example.com/{operation}");
            assert_eq!(ask(&url, b"{}", &Transport::RestPath), posture);
        }
        let cancel = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"id":"t"}}"#;
        assert_eq!(ask(MCP, cancel, &Transport::Mcp), Posture::Supported);
    }

    #[test]
    fn what_the_verifier_could_not_tell_is_undetermined() {
        const URL: &str = "https://seller.example.com/mcp";
        for (url, body) in [(URL, &b"not JSON"[..]), (URL, b"[]"), (URL, b"{}"), ("nowhere", b"{}")]
        {
            assert_eq!(ask(url, body, &Transport::Mcp), Posture::Undetermined, "{url}");
        }
        let huge = vec![b' '; 64 * 1024 * 1024];
        assert_eq!(ask(URL, &huge, &Transport::Mcp), Posture::Undetermined);
    }

    #[test]
    fn webhook_credentials_have_to_be_signed_wherever_anything_is_verified() {
        let body =
            br#"{"push_notification_config":{"url":"https://b.example","authentication":{"schemes":["Bearer"],"credentials":"x"}}}"#;
        let url = "https://seller.example.com/get_products";
        assert_eq!(ask(url, body, &Transport::RestPath), Posture::Required);
        let none = RequestSigningCapability::unsupported();
        assert_eq!(ask_of(&none, url, body, &Transport::RestPath), Posture::Unlisted);
    }
}
