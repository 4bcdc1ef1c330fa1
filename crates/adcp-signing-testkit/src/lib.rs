#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "servers")]
mod canned_reply;
#[cfg(feature = "servers")]
mod child;
#[cfg(feature = "servers")]
mod failure_table;
#[cfg(feature = "servers")]
mod fault_proxy;
#[cfg(feature = "servers")]
mod full_listener;
#[cfg(feature = "servers")]
mod http_framing;
#[cfg(feature = "tls")]
mod loopback_identity;
#[cfg(feature = "servers")]
mod moved_clock;
#[cfg(feature = "servers")]
mod name_resolution;
#[cfg(feature = "servers")]
mod own_server;
pub mod process;
#[cfg(feature = "servers")]
mod proxy_faults;
mod python_client;
#[cfg(feature = "servers")]
mod recording_server;
mod skip;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "servers")]
mod under_load;
#[cfg(feature = "servers")]
mod watched;

#[cfg(feature = "tls")]
pub use self::loopback_identity::LoopbackIdentity;
#[cfg(feature = "servers")]
pub use self::{
    canned_reply::CannedReply,
    child::{in_child, in_child_with_files, say},
    failure_table::{FailureTable, shown},
    fault_proxy::{Action, Exchange, FaultProxy, Traffic},
    full_listener::FullListener,
    moved_clock::{AN_HOUR_OFF, in_child_with_own_clock, move_clock},
    name_resolution::{UNKNOWN_NAME, signs_once_its_name_resolves, survives_an_unknown_name},
    own_server::{DurableServer, OwnProcess, OwnServer, Ready, free_address, named_program},
    proxy_faults::{ProxyFaults, Replies},
    recording_server::{Received, RecordingServer},
    under_load::{Survived, survives_a_kill},
    watched::{Failures, Watched, with_causes},
};
pub use self::{python_client::PythonClient, skip::skip};
