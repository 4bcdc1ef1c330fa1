//! `cargo xtask emulators`: the servers that the backends are tested against, without Docker or
//! with it.

mod compose;
mod daemon;
mod engine;
mod install;
mod probe;
mod run;
mod server;
mod site;
mod stand_in;
mod suite;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::suites;
use adcp_signing_testkit::process::Process;
pub(crate) use run::{installed, up};
pub(crate) use suite::{Preparation, SUITE as COMPOSE_SUITE};
use {probe::Answer, server::Server, site::Site, table::SERVERS};

/// Options of `cargo xtask emulators`.
#[derive(Args)]
pub(crate) struct EmulatorsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install, start, and wait until ready. Without names: every server that can be had from a
    /// package.
    Up {
        /// The servers; `status` lists them.
        names: Vec<String>,
        /// Use containers, by docker-compose.yml.
        #[arg(long)]
        docker: bool,
        /// Install packages of the system without asking.
        #[arg(long, short)]
        yes: bool,
        /// Which Vault to test against; `hashicorp` is started beside OpenBao, and built first: ten
        /// minutes.
        #[arg(long, value_enum, default_value_t = Vault::Openbao)]
        vault: Vault,
    },
    /// Stop what `up` started, and nothing else. Without names: all of it.
    Down {
        /// The servers.
        names: Vec<String>,
    },
    /// Show every server, whether it runs, what it is for, and where it differs from the service.
    Status {
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Print the variables that the tests read as `export` lines. Without names: of the servers
    /// that are ready.
    Env {
        /// The servers.
        names: Vec<String>,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of the servers' output.
    Logs {
        /// The servers.
        names: Vec<String>,
        /// How many lines of each.
        #[arg(long, default_value_t = 50)]
        lines: usize,
    },
    /// Print docker-compose.yml as the table of servers says it must be.
    Compose,
}

/// The Vault to test against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vault {
    /// OpenBao alone.
    #[default]
    Openbao,
    /// HashiCorp Vault as well.
    Hashicorp,
}

/// Does what was asked.
pub(crate) fn run(args: &EmulatorsArgs) -> Result<bool> {
    let mut site = Site::here()?;
    match &args.action {
        Action::Up { names, docker, yes, vault } => {
            let mut servers =
                named(
                    names,
                    |server| if *docker { server.image.is_some() } else { server.usual() },
                )?;
            if *vault == Vault::Hashicorp && !servers.iter().any(|server| server.name == "vault") {
                servers.extend(SERVERS.iter().find(|server| server.name == "vault"));
            }
            if *docker {
                compose::up(&site, &servers)?;
            } else {
                let packages: Vec<&str> =
                    servers.iter().flat_map(|server| install::missing_packages(server)).collect();
                if *yes || (!packages.is_empty() && !site.may_install() && agreed(&packages)?) {
                    site.let_install();
                }
                run::up_servers(&site, &servers)?;
            }
            eprintln!("`eval \"$(cargo xtask emulators env)\"` sets what the tests read");
        }
        Action::Down { names } => {
            run::down(&site, &named(names, |_| true)?)?;
            compose::down(&site, names)?;
            if names.is_empty() {
                engine::stop(&site)?;
            }
        }
        Action::Status { json } => status(&site, *json)?,
        Action::Env { names, json } => {
            let ready = |server: &Server| probe::ask(&site, server) == Answer::Ready;
            environment(&site, &named(names, ready)?, *json)?;
        }
        Action::Logs { names, lines } => logs(&site, &named(names, |_| true)?, *lines)?,
        Action::Compose => io::stdout().write_all(compose::render(&site).as_bytes())?,
    }
    Ok(true)
}

/// Asks whether these packages may be installed; without a terminal nobody can agree.
fn agreed(packages: &[&str]) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Install {} with apt-get? [y/N] ", packages.join(" "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether the table has a server of this name.
#[cfg(test)]
pub(crate) fn known(name: &str) -> bool {
    SERVERS.iter().any(|server| server.name == name)
}

/// The servers of these names, or those that `usual` picks if there is no name.
fn named(names: &[String], usual: impl Fn(&Server) -> bool) -> Result<Vec<&'static Server>> {
    if names.is_empty() {
        return Ok(SERVERS.iter().filter(|server| server.present() && usual(server)).collect());
    }
    let mut servers: Vec<&'static Server> = Vec::new();
    for name in names {
        let server = SERVERS.iter().find(|server| server.name == name).with_context(|| {
            let known: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
            format!("there is no server `{name}`; the servers are: {}", known.join(", "))
        })?;
        if !servers.iter().any(|other| other.name == server.name) {
            servers.push(server);
        }
    }
    Ok(servers)
}

fn status(site: &Site, as_json: bool) -> Result<()> {
    let mut rows = Vec::new();
    let mut text = String::new();
    for server in SERVERS.iter().filter(|server| server.present()) {
        let ours = daemon::recorded(&site.folder(server));
        let state = match (probe::ask(site, server), &ours) {
            (Answer::Ready, Some(_)) => "up",
            (Answer::Ready, None) if server.port.is_none() => "installed",
            (Answer::Ready, None) if compose::has_container(site, server) => "up, in a container",
            (Answer::Ready, None) => "up, not started here",
            (_, Some(_)) => "not ready",
            (Answer::Other, None) => "port taken",
            (Answer::Nothing, None) => "down",
        };
        let address = site.port(server).map(|port| format!("127.0.0.1:{port}"));
        let pid = ours.as_ref().map(Process::pid);
        let lies: Vec<Value> =
            server.lies.iter().map(|lie| json!({"what": lie.what, "so": lie.so})).collect();
        let (name, purpose) = (server.name, server.purpose);
        rows.push(json!({
            "name": name, "state": state, "address": address, "pid": pid, "purpose": purpose, "lies": lies,
        }));
        // What no test reads yet would only be in the way.
        if !used(server) && state == "down" {
            continue;
        }
        let address = address.unwrap_or_else(|| "a library".to_owned());
        text += &format!("{name:20} {state:21} {address:16} {purpose}\n");
        for lie in server.lies {
            text += &wrapped(&format!("differs: {} ({})", lie.what, lie.so));
        }
    }
    let text = if as_json { format!("{}\n", Value::from(rows)) } else { text };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Whether a suite runs against it, or against it in another's place.
fn used(server: &Server) -> bool {
    server.instead_of.is_some() || server.name == "vault" || suites::needs(server.name)
}

/// A text below a row of the table, in lines of a hundred columns.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 100 - 21 {
            lines += &format!("{:20} {line}\n", "");
            line = "  ".to_owned();
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("{:20} {line}\n", "")
}

fn environment(site: &Site, servers: &[&Server], as_json: bool) -> Result<()> {
    let variables = run::variables(site, servers);
    if variables.is_empty() {
        eprintln!("no server is ready: `cargo xtask emulators up` starts them");
    }
    let text = if as_json {
        let object: serde_json::Map<String, Value> =
            variables.into_iter().map(|(name, value)| (name, value.into())).collect();
        format!("{}\n", Value::from(object))
    } else {
        exports(&variables)
    };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Lines for a POSIX shell.
fn exports(variables: &[(String, String)]) -> String {
    let (own, aws): (Vec<_>, Vec<_>) =
        variables.iter().partition(|(name, _)| !name.starts_with("AWS_"));
    let line = |(name, value): &(String, String)| format!("export {name}={}\n", quoted(value));
    let mut text: String = own.into_iter().map(line).collect();
    if !aws.is_empty() {
        text += "# These take the place of AWS credentials that this shell has.\n";
        text.extend(aws.into_iter().map(line));
    }
    text
}

/// A value for a POSIX shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn logs(site: &Site, servers: &[&Server], lines: usize) -> Result<()> {
    let mut out = io::stdout();
    for server in servers {
        if let Some(container) = compose::logs(site, server, lines)? {
            writeln!(out, "{}: its container\n{container}", server.name)?;
            continue;
        }
        let log = site.log(server);
        let shown: &Path =
            if log.exists() { &log } else { &site.folder(server).join("install.log") };
        if shown.exists() {
            writeln!(out, "{}: {}\n{}", server.name, shown.display(), site::tail(shown, lines))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_the_table_and_counts_once() {
        let names = ["openbao".to_owned(), "openbao".to_owned()];
        let servers = named(&names, |_| false).unwrap();
        assert_eq!(servers.iter().map(|server| server.name).collect::<Vec<_>>(), ["openbao"]);
        let error = named(&["opnbao".to_owned()], |_| true).err().unwrap().to_string();
        assert!(
            error.starts_with("there is no server `opnbao`; the servers are: localstack, "),
            "{error}"
        );
    }

    #[test]
    fn what_takes_ten_minutes_or_docker_or_is_no_server_is_not_usual() {
        let usual: Vec<&str> =
            named(&[], Server::usual).unwrap().iter().map(|server| server.name).collect();
        assert!(usual.starts_with(&["localstack", "ministack", "openbao", "softhsm"]), "{usual:?}");
        let others =
            ["vault", "lowkey-vault", "redis", "faketime", "adcp-python", "adcp-node", "browser"];
        assert!(usual.iter().all(|name| !others.contains(name)), "{usual:?}");
    }

    #[test]
    fn ports_and_names_are_unique_and_variables_agree() {
        let mut ports: Vec<u16> = SERVERS.iter().filter_map(|server| server.port).collect();
        ports.extend(
            SERVERS
                .iter()
                .filter_map(|server| server.image.as_ref())
                .flat_map(|image| image.more_ports.iter().map(|(host, _)| *host)),
        );
        let count = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), count);
        let site = Site::at(Path::new("/s"), 0);
        for (name, value) in SERVERS.iter().flat_map(|server| site.variables(server)) {
            assert!(!value.contains(['{', '}']), "{name}={value}");
        }
        // Two servers may share a variable only if they mean the same, or one gives way to the
        // other.
        let all = run::variables(&site, &SERVERS.iter().collect::<Vec<_>>());
        for (name, value) in &all {
            assert!(all.iter().all(|(other, theirs)| other != name || theirs == value), "{name}");
        }
    }

    #[test]
    fn a_server_that_is_there_instead_of_another_sets_its_variables_and_gives_way_to_it() {
        let site = Site::at(Path::new("/s"), 0);
        let named = |name: &str| SERVERS.iter().find(|server| server.name == name).unwrap();
        let of = |servers: &[&Server]| run::variables(&site, servers);
        for server in SERVERS.iter().filter(|server| server.instead_of.is_some()) {
            let usual = named(server.instead_of.unwrap());
            let names: Vec<String> = of(&[usual]).into_iter().map(|(name, _)| name).collect();
            let alone = of(&[server]);
            assert!(alone.iter().all(|(name, _)| names.contains(name)), "{}", server.name);
            assert!(!alone.is_empty(), "{}", server.name);
            assert_eq!(of(&[server, usual]), of(&[usual]));
        }
    }

    #[test]
    fn the_port_offset_moves_the_port_and_the_variables_together() {
        let server = SERVERS.iter().find(|server| server.name == "openbao").unwrap();
        let site = Site::at(Path::new("/s"), 1000);
        assert_eq!(site.port(server), Some(9200));
        let address = ("ADCP_TEST_OPENBAO_ADDR".to_owned(), "http://127.0.0.1:9200".to_owned());
        assert!(site.variables(server).contains(&address));
    }

    #[test]
    fn a_comment_stands_before_what_replaces_credentials() {
        let pair = |name: &str| (name.to_owned(), "x".to_owned());
        let text = exports(&[pair("ADCP_TEST_A"), pair("AWS_REGION"), pair("SOFTHSM2_CONF")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[2].starts_with("# ") && lines[3] == "export AWS_REGION='x'", "{text}");
        assert!(!exports(&[pair("ADCP_TEST_A")]).contains('#'));
    }

    #[test]
    fn status_lists_what_a_suite_uses_in_lines_that_fit() {
        let used: Vec<&str> =
            SERVERS.iter().filter(|server| used(server)).map(|server| server.name).collect();
        assert!(["openbao", "vault", "lowkey-vault"].iter().all(|name| used.contains(name)));
        assert!(!used.contains(&"redis"));
        for lie in SERVERS.iter().flat_map(|server| server.lies) {
            let text = wrapped(&format!("differs: {} ({})", lie.what, lie.so));
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(words, format!("differs: {} ({})", lie.what, lie.so));
        }
    }

    #[test]
    fn a_value_survives_the_shell() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
