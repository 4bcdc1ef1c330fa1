#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod canned_reply;
mod fault_proxy;
#[cfg(feature = "gcp-kms")]
pub mod gcp_kms;
mod http_framing;
mod proxy_faults;

pub use self::{
    canned_reply::CannedReply,
    fault_proxy::{Action, Exchange, FaultProxy, Traffic},
    proxy_faults::{ProxyFaults, Replies},
};
