#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod canned_reply;
mod child;
mod failure_table;
mod fault_proxy;
mod full_listener;
mod http_framing;
#[cfg(feature = "tls")]
mod loopback_identity;
mod own_server;
mod proxy_faults;
mod python_client;
mod skip;
#[cfg(feature = "tls")]
mod tls;
mod under_load;

#[cfg(feature = "tls")]
pub use self::loopback_identity::LoopbackIdentity;
pub use self::{
    canned_reply::CannedReply,
    child::{in_child, say},
    failure_table::{FailureTable, shown},
    fault_proxy::{Action, Exchange, FaultProxy, Traffic},
    full_listener::FullListener,
    own_server::{DurableServer, OwnProcess, OwnServer, Ready, free_address, named_program},
    proxy_faults::{ProxyFaults, Replies},
    python_client::PythonClient,
    skip::skip,
    under_load::{Survived, survives_a_kill},
};
