//! A fake of the test's own, killed while callers sign. It keeps its keys and its certificate, as
//! the service would: they are this process', and only what serves them dies.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use adcp_signing_core::{Algorithm, KeyPurpose};
use adcp_signing_fakes::azure_key_vault::FakeAzureKeyVault;
use adcp_signing_testkit::{OwnServer, survives_a_kill};
use async_trait::async_trait;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use crate::keys::Server;

const TOKEN: &str = "token-of-the-test-s-own-server";

/// The fake on a runtime of its own, with which every connection of it ends at once.
struct InProcess {
    vault: FakeAzureKeyVault,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl InProcess {
    async fn start() -> io::Result<Self> {
        let vault = FakeAzureKeyVault::new(TOKEN)?;
        let mut server = Self { vault, address: (Ipv4Addr::LOCALHOST, 0).into(), runtime: None };
        server.restart().await?;
        Ok(server)
    }
}

#[async_trait]
impl OwnServer for InProcess {
    async fn kill(&mut self) -> io::Result<()> {
        let runtime = self.runtime.take().ok_or(io::ErrorKind::NotConnected)?;
        runtime.shutdown_background();
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (vault, address) = (self.vault.clone(), self.address);
        let (bound, listens) = oneshot::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind(address).await;
            let _ =
                bound.send(listener.as_ref().map(TcpListener::local_addr).map_err(io::Error::kind));
            if let Ok(listener) = listener {
                let _ = vault.serve(listener).await;
            }
        });
        self.runtime = Some(runtime);
        self.address = listens.await.map_err(io::Error::other)?.map_err(io::Error::from)??;
        Ok(())
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        // A runtime may not end where it would wait, as in a test that has failed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_costs_patient_callers_no_request() {
    let mut own = InProcess::start().await.unwrap();
    let server = Server {
        name: "a server of the test's own".to_owned(),
        url: format!("https://{}", own.address),
        token: TOKEN.to_owned(),
        denied_token: None,
        roots: Some(own.vault.ca_pem().as_bytes().to_vec()),
        lacks: String::new(),
    };
    let key = server.create_key("key", Algorithm::EcdsaP256Sha256).await.unwrap().parse().unwrap();
    let provider =
        server.config(key, KeyPurpose::RequestSigning, TOKEN).unwrap().connect().await.unwrap();
    println!("{:?}", survives_a_kill(Arc::new(provider), &mut own).await.unwrap());
}
