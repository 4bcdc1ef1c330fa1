//! The command line from its start to the signed message.

use std::{env, process::Stdio, time::Instant};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    BenchError, Service,
    sample::{median, nanoseconds},
};
use crate::FaultProxy;

/// The built program, and a message to sign.
const PROGRAM: &str = "ADCP_BENCH_PROGRAM";
const MESSAGE_FILE: &str = "ADCP_BENCH_MESSAGE";
const STARTS: usize = 21;

/// How long a start takes, and how long of that the server did, as a proxy in between sees it.
pub(super) async fn measure(service: &dyn Service) -> Result<Value, BenchError> {
    let (Some(program), Some(message)) = (env::var_os(PROGRAM), env::var_os(MESSAGE_FILE)) else {
        return Ok(Value::Null);
    };
    let proxy = service.proxy().await?;
    let command_line = service.command_line(proxy.as_ref());
    let (mut whole, mut servers, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let seen = proxy.as_ref().map_or(0, |proxy| proxy.exchanges().len());
        let started = Instant::now();
        let output = Command::new(&program)
            .args(["sign", "--key", &command_line.key])
            .arg(&message)
            .envs(command_line.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .await?;
        let took = nanoseconds(started.elapsed());
        if !output.status.success() {
            return Err(
                format!("the command line: {}", String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        let exchanges = proxy.as_ref().map(FaultProxy::exchanges).unwrap_or_default();
        let server: f64 =
            exchanges.iter().skip(seen).map(|exchange| nanoseconds(exchange.took)).sum();
        whole.push(took);
        servers.push(server);
        ours.push(took - server);
    }
    Ok(json!({"whole_ns": median(whole)?, "server_ns": median(servers)?, "own_ns": median(ours)?}))
}
