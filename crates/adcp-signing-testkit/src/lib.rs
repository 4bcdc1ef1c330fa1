#![doc = include_str!("../README.md")]

#[cfg(feature = "azure-key-vault")]
pub mod azure_key_vault;
#[cfg(feature = "bench")]
pub mod bench;
mod canned_reply;
mod fault_proxy;
#[cfg(feature = "gcp-kms")]
pub mod gcp_kms;
mod http_framing;
#[cfg(feature = "tls")]
mod loopback_identity;
mod own_server;
mod proxy_faults;
mod python_client;
#[cfg(any(feature = "azure-key-vault", feature = "gcp-kms"))]
mod service;
mod skip;
#[cfg(feature = "tls")]
mod tls;
mod under_load;

pub use self::{
    canned_reply::CannedReply,
    fault_proxy::{Action, Exchange, FaultProxy, Traffic},
    own_server::{DurableServer, OwnProcess, OwnServer, Ready, free_address, named_program},
    proxy_faults::{ProxyFaults, Replies},
    python_client::PythonClient,
    skip::skip,
    under_load::{Survived, survives_a_kill},
};
