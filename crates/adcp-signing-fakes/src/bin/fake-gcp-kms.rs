//! The fake Google Cloud KMS as a program: `fake-gcp-kms --port 4589 --token TOKEN --project
//! PROJECT`.

use std::{io, net::Ipv4Addr, path::PathBuf};

use adcp_signing_fakes::gcp_kms::FakeGcpKms;
use clap::Parser;
use tokio::net::TcpListener;

/// A fake Google Cloud KMS on loopback, for tests. Keys are gone at the end unless they are kept in
/// a file.
#[derive(Debug, Parser)]
struct Arguments {
    /// The address to listen on. A container listens on all: only published ports reach it.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 4589)]
    port: u16,
    /// The access token that is taken.
    #[arg(long, default_value = "fake-gcp-token")]
    token: String,
    /// The access token of somebody who may only sign.
    #[arg(long, default_value = "fake-gcp-signer-token")]
    signer_token: String,
    /// The project that the token may use.
    #[arg(long, default_value = "adcp-test-project")]
    project: String,
    /// A file to keep the keys in, private keys included.
    #[arg(long)]
    keys: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Arguments { address, port, token, signer_token, project, keys } = Arguments::parse();
    let listener = TcpListener::bind((address, port)).await?;
    println!("fake-gcp-kms listens on http://{}", listener.local_addr()?);
    let server = FakeGcpKms::new(&token, &project).with_signer_token(&signer_token);
    match keys {
        Some(file) => server.kept_in(file)?.serve(listener).await,
        None => server.serve(listener).await,
    }
}
