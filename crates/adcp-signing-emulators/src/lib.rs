#![doc = include_str!("../README.md")]

mod canned_reply;
mod fault_proxy;
#[cfg(feature = "gcp-kms")]
pub mod gcp_kms;
mod http_framing;
mod proxy_faults;
#[cfg(feature = "tls")]
mod tls;

pub use self::{
    canned_reply::CannedReply,
    fault_proxy::{Action, FaultProxy, Traffic},
    proxy_faults::{ProxyFaults, Replies},
};
