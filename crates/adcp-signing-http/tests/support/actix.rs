//! A server of actix-web on a thread of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use actix_web::{App, HttpServer, web::ServiceConfig};

use super::Server;

/// Serves until the test ends.
pub(crate) fn serve(
    listener: std::net::TcpListener,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Server {
    let address = listener.local_addr().unwrap();
    let app = move || App::new().configure(configure.clone());
    // By default, a server reads on for a second after it has answered.
    let server = HttpServer::new(app).client_disconnect_timeout(Duration::ZERO);
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    drop(std::thread::spawn(move || actix_web::rt::System::new().block_on(server)));
    // Stopped when the test's runtime drops the task.
    let task = tokio::spawn(async move {
        let _guard = Stop(handle);
        std::future::pending::<()>().await;
    });
    Server::of(address, task)
}

struct Stop(actix_web::dev::ServerHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}
