//! `resolve`: from the URL of an agent to its keys, step by step.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use adcp_signing::profile::ContractVersion;
use adcp_signing_trust::{
    agent::{AgentDiscovery, DiscoveryError, KeyOriginPurpose, Trace, TraceStep},
    brand::AgentUrl,
    fetch::Fetcher,
    guard::SystemResolver,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::{Map, Value, json};

use crate::{
    args::ResolveArgs,
    failure::{Failure, chain},
    output::{self, BAD, DIM, GOOD, heading, outln, shown},
    time::utc,
};

pub(crate) async fn run(args: &ResolveArgs) -> Result<ExitCode, Failure> {
    let agent: AgentUrl = args.agent.parse().map_err(|error| Failure::invalid(chain(&error)))?;
    let purpose: KeyOriginPurpose =
        args.purpose.parse().map_err(|error| Failure::invalid(format!("--purpose: {error}")))?;
    let contract: ContractVersion =
        args.contract.parse().map_err(|error| Failure::invalid(format!("--contract: {error}")))?;
    let fetcher = Fetcher::builder();
    let fetcher = if args.loopback_host.is_empty() {
        fetcher
    } else {
        let names = args.loopback_host.iter().map(|name| name.to_ascii_lowercase()).collect();
        fetcher.resolver(Arc::new(Development(names))).loopback_for_development()
    };
    let fetcher = fetcher.build().map_err(|error| Failure::Unavailable {
        code: "tls_unavailable",
        message: chain(&error),
    })?;
    let discovery = AgentDiscovery::builder(fetcher).contract(contract).build();
    let trace = discovery.trace(&agent, purpose).await;
    if args.json {
        outln!("{}", output::json(&answer(&agent, purpose, &trace)));
    } else {
        print(&agent, purpose, &trace);
    }
    Ok(match trace.error() {
        None => ExitCode::SUCCESS,
        Some(error) => failure(error).exit_code(),
    })
}

/// What could not be fetched may be tried again; what was refused stays so.
fn failure(error: &DiscoveryError) -> Failure {
    if error.is_transient() {
        return Failure::Unavailable { code: error.code(), message: error.to_string() };
    }
    Failure::refused(error.code(), error.to_string())
}

fn print(agent: &AgentUrl, purpose: KeyOriginPurpose, trace: &Trace) {
    outln!("{} {DIM}for {purpose}{DIM:#}", shown(agent.as_str()));
    heading("Steps");
    for step in trace.steps() {
        print_step(step);
    }
    heading("Result");
    match trace.error() {
        None => {
            outln!("{GOOD}found{GOOD:#}: these keys verify what {} signs", shown(agent.as_str()))
        }
        Some(error) => {
            outln!("{BAD}{}{BAD:#}", error.code());
            for (name, value) in error.details() {
                outln!("  {name}: {}", shown(&value));
            }
        }
    }
}

fn print_step(TraceStep { step, input, result, fetched, .. }: &TraceStep) {
    let (style, mark) = if result.is_ok() { (GOOD, "✓") } else { (BAD, "✗") };
    let took = match fetched {
        Some(fetched) => match fetched.millis {
            Some(millis) => format!(" ({millis} ms)"),
            None => format!(" (held since {})", utc(fetched.at)),
        },
        None => String::new(),
    };
    outln!(
        "  {style}{mark} {}  {}{style:#}  {}{DIM}{took}{DIM:#}",
        step.number(),
        step.name(),
        shown(input)
    );
    match result {
        Ok(found) => outln!("       {}", shown(found)),
        Err(error) => outln!("       {}", shown(&error.to_string())),
    }
}

fn answer(agent: &AgentUrl, purpose: KeyOriginPurpose, trace: &Trace) -> Value {
    let steps: Vec<_> = trace.steps().iter().map(step_json).collect();
    let error = trace.error();
    json!({
        "ok": error.is_none(),
        "error_code": error.map(DiscoveryError::code),
        "message": error.map(ToString::to_string),
        "agent_url": agent.as_str(),
        "purpose": purpose.as_str(),
        "details": error.map(details),
        "steps": steps,
    })
}

fn details(error: &DiscoveryError) -> Map<String, Value> {
    let details = error.details().into_iter();
    details.map(|(name, value)| (name.to_owned(), Value::from(value.into_owned()))).collect()
}

fn step_json(TraceStep { step, input, result, fetched, .. }: &TraceStep) -> Value {
    json!({
        "step": step.number(),
        "name": step.name(),
        "input": input,
        "found": result.as_ref().ok(),
        "error_code": result.as_ref().err().map(DiscoveryError::code),
        "message": result.as_ref().err().map(ToString::to_string),
        "fetched_at": fetched.map(|fetched| fetched.at.as_i64()),
        "millis": fetched.and_then(|fetched| fetched.millis),
    })
}

/// The names that are on this machine. All others are the system's.
#[derive(Debug)]
struct Development(Vec<String>);

impl Resolve for Development {
    fn resolve(&self, name: Name) -> Resolving {
        if self.0.iter().any(|known| known == name.as_str()) {
            let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
            return Box::pin(async move { Ok(Box::new(here.into_iter()) as Addrs) });
        }
        SystemResolver.resolve(name)
    }
}
