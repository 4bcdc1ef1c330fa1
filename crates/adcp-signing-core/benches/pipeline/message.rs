//! The message that is signed and verified.

use adcp_signing_core::rfc9421::{FieldLine, Request};

pub(crate) const URL: &str = "https://seller.example.com/adcp/create_media_buy";
pub(crate) const OPERATION: &str = "create_media_buy";
pub(crate) const BODY: &[u8] = br#"{"idempotency_key":"7f2a9c34-5b1e-4d0a-9a3e-6c1f0b8d2e57","account":{"brand":{"domain":"nova-athletics.example"},"operator":"pinnacle-media.example"},"brand":{"domain":"nova-athletics.example"},"name":"Nova spring launch","po_number":"PO-2027-0117","start_time":"2027-03-01T00:00:00Z","end_time":"2027-03-31T23:59:59Z","budget_allocation":{"mode":"fixed"},"packages":[{"product_id":"prod_premium_video_nl","pricing_option_id":"cpm_eur_fixed","budget":25000,"pacing":"even","targeting_overlay":{"geo_countries":["NL"],"frequency_cap":{"max_impressions":3,"per":"day"}},"creative_assignments":[{"creative_id":"cr_nova_15s","weight":60},{"creative_id":"cr_nova_30s","weight":40}]},{"product_id":"prod_sports_display_nl","pricing_option_id":"cpm_eur_fixed","budget":10000,"pacing":"even"}],"push_notification_config":{"url":"https://buyer.example.com/webhooks/adcp/media-buys","operation_id":"op_nova_spring_001"},"context":{"campaign":"nova-spring-2027","note":"Flight dates are confirmed by the brand; budget is in net euro"}}"#;

pub(crate) fn fields() -> [FieldLine<'static>; 5] {
    [
        FieldLine::new("Host", "seller.example.com"),
        FieldLine::new("User-Agent", "buyer-agent/4.2"),
        FieldLine::new("Accept", "application/json"),
        FieldLine::new("Content-Type", "application/json"),
        FieldLine::new("Content-Length", "1024"),
    ]
}

pub(crate) fn create_media_buy<'a>(fields: &'a [FieldLine<'a>]) -> Request<'a> {
    Request::new("POST", URL, fields, BODY)
}
