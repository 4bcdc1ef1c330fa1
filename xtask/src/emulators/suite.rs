//! The suite `compose`: brings docker-compose.yml up, runs the tests of two backends against its
//! containers, kills one in mid-run, and takes all down.
//!
//! It uses the images of the registry where the engine of this machine can pull them. Else it starts
//! an engine of its own, and makes stand-ins from what the native start installs.

use std::{
    fs::File,
    net::TcpStream,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use super::{compose, engine, named, server::Server, site::Site, stand_in, table::SERVERS};
use crate::{
    beside::Beside,
    process::{self, Echo},
    report::Outcome,
    suites,
};

/// The suite's name.
pub(crate) const SUITE: &str = "compose";

/// How long images may take to be pulled. Without a registry it fails at once.
const PULLED_WITHIN: &str = "300";
/// A run whose server is gone ends in this time: nothing hangs.
const BROKEN_RUN_LIMIT: Duration = Duration::from_secs(180);

/// The tests that run against the containers. Those of other files start servers of their own, and
/// a container cannot reach the Kubernetes that one of Vault's serves on this machine's loopback.
const TESTS: &[(&str, &[&str])] = &[
    (
        "adcp-signing-vault-transit",
        &[
            "--test",
            "conformance",
            "--test",
            "service",
            "--",
            "--skip",
            "a_pod_logs_in_with_its_service_account",
        ],
    ),
    ("adcp-signing-aws-kms", &["--test", "conformance", "--test", "emulators"]),
];
/// The tests in whose middle [`VICTIM`] is killed.
const BROKEN_RUN: &[&str] =
    &["test", "--no-fail-fast", "--package", "adcp-signing-vault-transit", "--all-features"];
/// Their servers. HashiCorp Vault's stand-in may be OpenBao.
const SERVERS_OF_TESTS: &[&str] = &["openbao", "vault", "localstack", "ministack"];
/// The server that is killed in mid-run.
const VICTIM: &str = "openbao";

/// What is made ready while other suites are compiled and run.
pub(crate) struct Preparation {
    site: Site,
    thread: JoinHandle<Result<Ready, Unready>>,
}

/// Images, and the lock that keeps other runs in this work tree from the containers.
struct Ready {
    images: Images,
    _lock: File,
}

/// Where the images come from.
enum Images {
    Pulled,
    StandIns,
}

/// Why the suite cannot run.
enum Unready {
    /// This machine has not what it takes.
    Skip(String),
    /// What it takes is there, and does not work.
    Fail(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Unready {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

impl Preparation {
    /// Begins, in a thread.
    pub(crate) fn begin() -> Result<Self> {
        let site = Site::here()?;
        let own = site.clone();
        Ok(Self { site, thread: thread::spawn(move || prepare(&own)) })
    }

    /// Waits until all is ready, and runs the suite.
    pub(crate) fn run(self, echo: Echo) -> Outcome {
        let ready = self.thread.join().unwrap_or_else(|_| Err(anyhow!("its thread died").into()));
        let ready = match ready {
            Ok(ready) => ready,
            Err(Unready::Skip(why)) => return Outcome::skip(SUITE, why),
            Err(Unready::Fail(error)) => return Outcome::fail(SUITE, format!("{error:#}")),
        };
        let mut passed = 0;
        let ran = run(&self.site, &ready.images, echo, &mut passed);
        judge(ran, take_down(&self.site), passed)
    }
}

/// The outcome of a run and of taking all down. What is left behind is a failure in any case.
fn judge(ran: Result<(), Unready>, ended: Result<()>, passed: u64) -> Outcome {
    match (ran, ended) {
        (_, Err(error)) | (Err(Unready::Fail(error)), _) => {
            Outcome { passed, ..Outcome::fail(SUITE, format!("{error:#}")) }
        }
        (Err(Unready::Skip(why)), _) => Outcome::skip(SUITE, why),
        (Ok(()), Ok(())) => Outcome { passed: passed + 1, ..Outcome::pass(SUITE) },
    }
}

/// Why nothing can be tested where stand-ins cannot be made: there is no registry, no mirror of
/// Debian, or an engine that takes no images.
fn without_stand_ins(error: &anyhow::Error) -> Unready {
    Unready::Skip(format!("no image can be pulled, and stand-ins cannot be made: {error:#}"))
}

fn prepare(site: &Site) -> Result<Ready, Unready> {
    let lock = site.suite_lock(&|text| eprintln!("{SUITE}: {text}"))?;
    Ok(Ready { images: images(site)?, _lock: lock })
}

fn images(site: &Site) -> Result<Images, Unready> {
    let skip = |why: &str| Err(Unready::Skip(why.to_owned()));
    if compose::compose(site).is_err() {
        return skip("Compose is not installed (on Debian: `apt-get install docker-compose`)");
    }
    // A run that was cut short left it.
    if engine::is_own(site) {
        compose::down(site, &[])?;
        engine::stop(site)?;
    }
    if engine::answers(site) && pull(site) {
        return Ok(Images::Pulled);
    }
    for (program, package) in [("dockerd", "docker.io"), ("debootstrap", "debootstrap")] {
        if process::version(&[program, "--version"]).is_err() {
            return skip(&format!(
                "no image can be pulled, and {program}, which it takes to make stand-ins, is not \
                 installed (on Debian: `apt-get install {package}`)"
            ));
        }
    }
    if let Err(error) = engine::start(site) {
        return skip(&format!(
            "no engine pulls images, and one of our own does not start: {error:#}"
        ));
    }
    if let Err(error) = stand_in::prepare(site, &|text| eprintln!("{SUITE}: {text}")) {
        engine::stop(site)?;
        return Err(without_stand_ins(&error));
    }
    Ok(Images::StandIns)
}

/// Whether every image that a registry has could be pulled.
fn pull(site: &Site) -> bool {
    let from_registry = SERVERS
        .iter()
        .filter(|server| server.image.as_ref().is_some_and(|image| image.build.is_none()));
    let Ok(compose) = compose::compose(site) else { return false };
    let mut pull = Command::new("timeout");
    pull.arg(PULLED_WITHIN).arg(compose.get_program()).args(compose.get_args());
    pull.args(["pull", "--quiet"]).args(from_registry.map(|server| server.name));
    pull.current_dir(process::root()).stdin(Stdio::null()).stdout(Stdio::null());
    pull.status().is_ok_and(|status| status.success())
}

/// The suite itself; `passed` counts what it has shown.
fn run(site: &Site, images: &Images, echo: Echo, passed: &mut u64) -> Result<(), Unready> {
    let begun = Instant::now();
    let mut step = |what: &str| {
        *passed += 1;
        eprintln!("{SUITE}: ok after {:.0} s: {what}", begun.elapsed().as_secs_f64());
    };
    let config = compose::compose(site)?.args(["config", "--quiet"]).output()?;
    if !config.status.success() {
        return Err(anyhow!("{}", String::from_utf8_lossy(&config.stderr).trim()).into());
    }
    step("Compose reads the file");

    let servers: Vec<&Server> = match images {
        Images::Pulled => SERVERS.iter().filter(|server| server.image.is_some()).collect(),
        Images::StandIns => {
            fakes()?;
            stand_in::make(site).map_err(|error| without_stand_ins(&error))?;
            step("the images are made");
            let servers = stand_in::servers();
            let left_out = SERVERS.iter().filter(|server| {
                server.image.is_some() && !servers.iter().any(|other| other.name == server.name)
            });
            for server in left_out {
                eprintln!("{:20} has no stand-in, and is not started", server.name);
            }
            servers
        }
    };
    let names: Vec<&str> = servers.iter().map(|server| server.name).collect();
    Ok(test(site, &names, echo, step)?)
}

/// What is shown with the containers of these servers.
fn test(site: &Site, names: &[&str], echo: Echo, mut step: impl FnMut(&str)) -> Result<()> {
    let up = |names: &[&str]| ours(&[&["emulators", "up", "--docker"], names].concat());
    up(names)?;
    step("every container is healthy and answers on its port");

    survive_a_kill(site, echo)?;
    step("a run whose server is killed ends by itself, and fails");
    let (state, variables) = (state_of(VICTIM)?, variables(names)?);
    ensure!(state != "up, in a container", "`status` says that the killed {VICTIM} is up");
    ensure!(
        !ours(&["emulators", "env"])?.contains("ADCP_TEST_OPENBAO_ADDR"),
        "`env` prints the address of the killed {VICTIM}"
    );
    step("`status` and `env` know that it is gone");
    up(&[VICTIM])?;
    ensure!(
        state_of(VICTIM)? == "up, in a container",
        "`status` does not know {VICTIM}'s container"
    );
    step("`up` starts it again");

    for (package, tests) in TESTS {
        let arguments = [&["--package", package, "--all-features"], *tests].concat();
        let outcome =
            suites::cargo_test(SUITE, &arguments, &variables, echo, &mut Beside::default());
        if let Some(note) = outcome.note {
            bail!("{package}: {note}");
        }
        ensure!(outcome.failed == 0, "{package}: {} tests failed", outcome.failed);
        step(&format!("{} tests of {package} pass", outcome.passed));
    }
    let logs = ours(&["emulators", "logs", "--lines", "5"])?;
    for name in names {
        ensure!(logs.contains(&format!("{name}: its container\n")), "`logs` lacks {name}:\n{logs}");
    }
    let victims = format!("{VICTIM}: its container\n  | ");
    ensure!(logs.contains(&victims), "`logs` shows nothing of {VICTIM}:\n{logs}");
    step("`logs` shows what each printed");
    Ok(())
}

/// Builds the fakes, which their image is made of.
fn fakes() -> Result<()> {
    let package = "adcp-signing-fakes";
    let mut build = process::cargo(["build", "--package", package, "--bins"]);
    let status = process::status(build.stdout(Stdio::null()))?;
    ensure!(status.success(), "the fakes do not build: {status}");
    Ok(())
}

/// Kills a container once the first test has passed, and waits for the end of the run.
fn survive_a_kill(site: &Site, echo: Echo) -> Result<()> {
    let mut test = process::cargo(BROKEN_RUN);
    test.args(["--test", "service"]).envs(variables(SERVERS_OF_TESTS)?);
    let mut killed = None;
    let ended = process::stream(&mut test, BROKEN_RUN_LIMIT, echo, |line| {
        if killed.is_none() && line.starts_with("test ") && line.ends_with("... ok") {
            let kill = compose::compose(site)
                .and_then(|mut compose| process::status(compose.args(["kill", VICTIM])));
            killed = Some((kill, Instant::now()));
        }
    })?;
    let (kill, since) = killed.context("no test passed before the run ended")?;
    ensure!(kill?.success(), "{VICTIM} is not killed");
    ensure!(!ended.success(), "the run passed although {VICTIM} was killed in mid-run");
    eprintln!("{SUITE}: the run ended {:.0} s after the kill", since.elapsed().as_secs_f64());
    Ok(())
}

/// What `env` prints for these servers.
fn variables(names: &[&str]) -> Result<Vec<(String, String)>> {
    let names = SERVERS_OF_TESTS.iter().filter(|name| names.contains(name)).copied();
    let words: Vec<&str> = ["emulators", "env", "--json"].into_iter().chain(names).collect();
    let object: serde_json::Map<String, Value> = serde_json::from_str(&ours(&words)?)?;
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    Ok(object.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// What `status` says of a server.
fn state_of(name: &str) -> Result<String> {
    let rows: Vec<Value> = serde_json::from_str(&ours(&["emulators", "status", "--json"])?)?;
    let row = rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name));
    let state = row.and_then(|row| row.get("state")).and_then(Value::as_str);
    Ok(state.with_context(|| format!("`status` does not list {name}"))?.to_owned())
}

/// Takes all down, and proves that nothing is left: no container, network or volume, no process, no
/// open port.
fn take_down(site: &Site) -> Result<()> {
    let is_own = engine::is_own(site);
    compose::down(site, &[])?;
    for kind in [&["ps", "--all"][..], &["network", "ls"], &["volume", "ls"]] {
        let mut list = engine::docker(site);
        list.args(kind).args(["--quiet", "--filter", &compose::project_label(site)]);
        let left = process::capture(&mut list)?;
        ensure!(left.is_empty(), "`down` left something: docker {}\n{left}", kind.join(" "));
    }
    engine::stop(site)?;
    ensure!(!is_own || !engine::is_own(site), "the engine still runs");
    for server in named(&[], |server| server.image.is_some())? {
        let port = site.port(server).unwrap_or_default();
        ensure!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "{} still answers on port {port}",
            server.name
        );
    }
    Ok(())
}

/// What `cargo xtask` prints with these arguments.
fn ours(arguments: &[&str]) -> Result<String> {
    process::capture(process::cargo(["run", "--quiet", "--package", "xtask", "--"]).args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_that_cannot_be_made_skip_the_suite_and_what_is_left_behind_fails_it() {
        let cannot = || Err(without_stand_ins(&anyhow!("no mirror")));
        let skipped = judge(cannot(), Ok(()), 1);
        assert_eq!((skipped.failed, skipped.skipped), (0, 1));
        assert!(skipped.note.unwrap().ends_with("stand-ins cannot be made: no mirror"));
        assert_eq!(judge(cannot(), Err(anyhow!("a container is left")), 1).failed, 1);
        assert_eq!(judge(Err(anyhow!("a test failed").into()), Ok(()), 1).failed, 1);
        let passed = judge(Ok(()), Ok(()), 7);
        assert_eq!((passed.passed, passed.failed, passed.skipped), (8, 0, 0));
    }
}
