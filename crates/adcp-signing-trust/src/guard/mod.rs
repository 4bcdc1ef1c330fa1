//! Where a URL of a counterparty may lead: "Webhook URL validation (SSRF)", security guide.

mod address;
mod resolve;
mod url;

pub use self::{
    address::reserved,
    resolve::{GuardedResolver, ReservedAddress, SystemResolver},
    url::{PublicUrl, PublicUrlError, literal_address, parse_url},
};
