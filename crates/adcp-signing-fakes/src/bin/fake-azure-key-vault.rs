//! The fake Azure Key Vault as a program: `fake-azure-key-vault --port 8444 --token TOKEN --ca-file
//! ca.pem`.

use std::{fs, io, net::Ipv4Addr, path::PathBuf};

use adcp_signing_fakes::azure_key_vault::FakeAzureKeyVault;
use clap::Parser;
use tokio::net::TcpListener;

/// A fake Azure Key Vault on loopback, with TLS, for tests. Keys are kept in memory and gone at the
/// end.
#[derive(Debug, Parser)]
struct Arguments {
    /// The address to listen on. A container listens on all: only published ports reach it.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8444)]
    port: u16,
    /// The access token that is taken.
    #[arg(long, default_value = "fake-azure-token")]
    token: String,
    /// The access token of somebody who may do nothing.
    #[arg(long, default_value = "fake-azure-denied-token")]
    denied_token: String,
    /// Where to write the authority of the certificate, as PEM. It is there once the port is open.
    #[arg(long)]
    ca_file: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Arguments { address, port, token, denied_token, ca_file } = Arguments::parse();
    let server = FakeAzureKeyVault::new(&token)?.with_denied_token(&denied_token);
    fs::write(&ca_file, server.ca_pem()).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", ca_file.display()))
    })?;
    let listener = TcpListener::bind((address, port)).await?;
    println!("fake-azure-key-vault listens on https://{}", listener.local_addr()?);
    server.serve(listener).await
}
