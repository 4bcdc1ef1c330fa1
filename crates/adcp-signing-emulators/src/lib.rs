#![doc = include_str!("../README.md")]

mod canned_reply;
mod fault_proxy;
mod http_framing;
mod proxy_faults;

pub use self::{
    canned_reply::CannedReply,
    fault_proxy::{Action, FaultProxy, Traffic},
    proxy_faults::{ProxyFaults, Replies},
};
