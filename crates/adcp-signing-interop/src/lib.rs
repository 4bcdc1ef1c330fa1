#![doc = include_str!("../README.md")]

mod draw;
mod fault;
mod message;

pub use self::{
    draw::{Drawn, lanes},
    fault::{Fault, faults, faults_table, peers_table},
    message::{Answer, Change, Direction, Lane, Message, Peer, Wire},
};
