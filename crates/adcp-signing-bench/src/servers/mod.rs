//! The servers: one handler each for the same requests, on one thread.

mod by_hand;
mod httpsig;
mod layer;

use std::{
    io::{BufRead as _, Write as _, stdin, stdout},
    str::FromStr,
};

use adcp_signing_core::JwkSet;
use axum::{Router, body::Bytes, routing::post};
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

pub(crate) use self::{
    by_hand::Keys,
    layer::{MovedClock, verifier, verify},
};
use crate::{BenchError, depth::Depths, message::PATH};

/// What the handler does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads the body.
    Nothing,
    /// Checks signature and digest of what it takes for granted: see [`by_hand`].
    ByHand,
    /// Is behind `VerifyLayer`.
    Layer,
    /// Checks signature and digest by `httpsig-hyper`.
    HttpsigHyper,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Nothing, Self::ByHand, Self::Layer, Self::HttpsigHyper];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::ByHand => "by-hand",
            Self::Layer => "layer",
            Self::HttpsigHyper => "httpsig-hyper",
        }
    }
}

impl FromStr for Kind {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("there is no server `{text}`").into())
    }
}

/// Reads the public keys from standard input, prints the port, and serves until standard input
/// ends.
pub(crate) fn serve(kind: Kind) -> Result<(), BenchError> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    let app = app(kind, &JwkSet::parse(line.as_bytes())?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        writeln!(stdout(), "{}", json!({ "port": port, "version": env!("CARGO_PKG_VERSION") }))?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        let mut rest = [0; 1];
        let end = async {
            let _ = tokio::io::stdin().read(&mut rest).await;
        };
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served?,
            () = end => {}
        }
        Ok(())
    })
}

fn app(kind: Kind, jwks: &JwkSet) -> Result<Router, BenchError> {
    let route = match kind {
        Kind::Nothing => post(|body: Bytes| async move { body.len().to_string() }),
        Kind::ByHand => by_hand::route(jwks)?,
        Kind::Layer => layer::route(jwks)?,
        Kind::HttpsigHyper => httpsig::route(jwks)?,
    };
    Ok(Router::new().route(PATH, route).layer(Depths::default()))
}
