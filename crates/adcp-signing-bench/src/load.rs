//! The load generator: every server gets the same signed requests over loopback, in turn.
//!
//! The servers share one core and the generator has another. In each round each server has two
//! turns: with one request at a time, and with as many in flight as keep its core busy. A server
//! that is not asked costs nothing.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::IoSlice,
    net::Ipv4Addr,
    slice,
    time::{Duration, Instant},
};

use adcp_signing_core::{Clock as _, SystemClock};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
};

use crate::{
    BODIES, BenchError, cpu,
    message::{self, Key, Signed},
    peers::Peer,
    sample::{median, quantile},
    servers::Kind,
};

const ROUNDS: usize = 12;
/// How many requests of a round are sent one at a time, and how many with others in flight, for
/// each length of the body. A slow server gets fewer.
const ALONE: [usize; 2] = [1_500, 600];
const TOGETHER: [usize; 2] = [8_000, 2_500];
/// How many are in flight.
const IN_FLIGHT: usize = 16;
/// When the turn of a slow server ends.
const TURN: Duration = Duration::from_millis(300);

/// What one server came to, a number a round.
#[derive(Default)]
struct Lane {
    rates: Vec<f64>,
    cpu: Vec<f64>,
    alone: Vec<f64>,
    latencies: Vec<f64>,
}

/// One turn of a server.
struct Turn {
    per_second: f64,
    cpu_each: f64,
    latencies: Vec<f64>,
}

pub(crate) fn measure(keys: &[Key]) -> Result<(), BenchError> {
    let cores = cpu::cores()?;
    let (servers_core, own_core) = match cores.as_slice() {
        [first, second, ..] => (*first, *second),
        _ => return Err("this takes two cores: one for the servers, one for the load".into()),
    };
    let jwks = message::jwks(keys);
    cpu::stay_on(&[servers_core])?;
    let started = start(&jwks);
    cpu::stay_on(&[own_core])?;
    let servers = started?;
    for server in &servers {
        println!("{}", json!({"kind": "server", "name": server.name, "version": server.version}));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for key in keys {
        for case in 0..BODIES.len() {
            compare(&runtime, &servers, key, case)?;
        }
    }
    cpu::stay_on(&cores)?;
    Ok(())
}

fn start(jwks: &str) -> Result<Vec<Peer>, BenchError> {
    let own = Kind::ALL.into_iter().map(|kind| Peer::of(kind, jwks));
    let mut servers = own.collect::<Result<Vec<_>, _>>()?;
    servers.extend(Peer::python(jwks)?);
    servers.extend(Peer::node(jwks)?);
    Ok(servers)
}

/// Measures all servers with one key and one length of the body.
fn compare(runtime: &Runtime, servers: &[Peer], key: &Key, case: usize) -> Result<(), BenchError> {
    let body = message::body(BODIES[case]);
    let mut lanes: BTreeMap<_, Lane> = BTreeMap::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let signed = message::sign(key, SystemClock.now(), &body, ALONE[case] + TOGETHER[case])?;
        let heads: Vec<Vec<u8>> = signed.iter().map(Signed::head).collect();
        let (alone, together) = heads.split_at(ALONE[case]);
        // None always comes first.
        let (before, from) = servers.split_at(round % servers.len());
        for server in from.iter().chain(before) {
            let one = runtime.block_on(turn(server, alone, &body, 1))?;
            let many = runtime.block_on(turn(server, together, &body, IN_FLIGHT))?;
            if round == 0 {
                continue;
            }
            let lane = lanes.entry(server.name).or_default();
            lane.alone.push(median(&mut one.latencies.clone()));
            lane.latencies.extend(one.latencies);
            lane.rates.push(many.per_second);
            lane.cpu.push(many.cpu_each);
        }
    }
    let base = lanes.get(Kind::ByHand.name()).ok_or("the raw verification was not measured")?;
    for server in servers {
        if let Some(lane) = lanes.get(server.name) {
            report(key, case, server.name, lane, base);
        }
    }
    Ok(())
}

fn report(key: &Key, case: usize, name: &str, lane: &Lane, base: &Lane) {
    let mut latencies = lane.latencies.clone();
    let beyond = |ours: &[f64], theirs: &[f64]| {
        median(&mut ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect::<Vec<_>>())
    };
    let ratios = lane.rates.iter().zip(&base.rates).map(|(ours, theirs)| ours / theirs);
    let numbers = json!({
        "kind": "loopback",
        "algorithm": key.algorithm().rfc9421_name(),
        "body": BODIES[case],
        "server": name,
        "p50_ns": quantile(&mut latencies, 0.5),
        "p99_ns": quantile(&mut latencies, 0.99),
        "per_s": median(&mut lane.rates.clone()),
        "cpu_ns": median(&mut lane.cpu.clone()),
        // Medians of what was found within a round.
        "rate_to_by_hand": median(&mut ratios.collect::<Vec<_>>()),
        "p50_beyond_by_hand_ns": beyond(&lane.alone, &base.alone),
        "cpu_beyond_by_hand_ns": beyond(&lane.cpu, &base.cpu),
    });
    println!("{numbers}");
}

/// Sends these requests over so many connections, until the time is up.
async fn turn(
    server: &Peer,
    heads: &[Vec<u8>],
    body: &[u8],
    connections: usize,
) -> Result<Turn, BenchError> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let queue = Queue { heads: RefCell::new(heads.iter()), latencies: RefCell::default() };
    let (cpu, started) = (cpu::used_by(server.process())?, Instant::now());
    let connections = streams.into_iter().map(|stream| queue.send_over(stream, body, started));
    for outcome in join_all(connections).await {
        outcome.map_err(|error| format!("{}: {error}", server.name))?;
    }
    let took = started.elapsed().as_secs_f64();
    let cpu = cpu::used_by(server.process())? - cpu;
    let latencies = queue.latencies.into_inner();
    let calls = latencies.len() as f64;
    Ok(Turn { per_second: calls / took, cpu_each: cpu / calls, latencies })
}

/// What is left to send, and what has been measured.
struct Queue<'a> {
    heads: RefCell<slice::Iter<'a, Vec<u8>>>,
    latencies: RefCell<Vec<f64>>,
}

impl Queue<'_> {
    async fn send_over(
        &self,
        mut stream: TcpStream,
        body: &[u8],
        begun: Instant,
    ) -> Result<(), BenchError> {
        let mut answer = Vec::with_capacity(1_024);
        while begun.elapsed() < TURN {
            let next = self.heads.borrow_mut().next();
            let Some(head) = next else { break };
            let started = Instant::now();
            let sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await?;
            if let Some(rest) = body.get(sent.saturating_sub(head.len())..) {
                stream.write_all(rest).await?;
            }
            answer.clear();
            while !is_whole(&answer)? {
                if stream.read_buf(&mut answer).await? == 0 {
                    return Err("the server closed the connection".into());
                }
            }
            self.latencies.borrow_mut().push(started.elapsed().as_nanos() as f64);
        }
        Ok(())
    }
}

/// Whether this is a whole answer, which has to be a good one.
fn is_whole(answer: &[u8]) -> Result<bool, BenchError> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("refused: {}", String::from_utf8_lossy(answer)).into());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(answer.len() >= end + 4 + length.ok_or("an answer without a length")??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body_and_has_to_be_good() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert!(is_whole(whole).unwrap());
        for length in 0..whole.len() {
            assert!(!is_whole(&whole[..length]).unwrap());
        }
        assert!(is_whole(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
