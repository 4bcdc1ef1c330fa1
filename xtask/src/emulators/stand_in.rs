//! Images under the tags of docker-compose.yml where none can be pulled: one root of Debian with
//! what the native start installs, and an image of each server that only says what to run.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    engine, install,
    server::{Image, Native, Server, StandIn},
    site::{self, Site},
    table::SERVERS,
};
use crate::process;

const BASE: &str = "adcp-signing-stand-in:1";
/// What the health checks and LocalStack need besides Debian's required packages.
const PACKAGES: &[&str] = &["bash", "curl", "python3"];

/// What no server needs of the root.
const UNUSED: &str = "debootstrap usr/lib/postgresql/*/lib/bitcode usr/share/doc usr/share/i18n \
    usr/share/locale usr/share/man usr/share/postgresql/*/man usr/share/zoneinfo/right \
    usr/share/zoneinfo/posix var/lib/apt var/lib/dpkg";

/// The servers that an image can be made of.
pub(crate) fn servers() -> Vec<&'static Server> {
    let has_one = |server: &&Server| {
        server.image.as_ref().is_some_and(|image| !matches!(image.stand_in, StandIn::None))
    };
    SERVERS.iter().filter(has_one).collect()
}

/// Makes the root, which takes a minute or two. The engine need not run.
pub(crate) fn prepare(site: &Site, say: &dyn Fn(&str)) -> Result<()> {
    let root = root(site);
    let mut packages = PACKAGES.to_vec();
    for server in servers() {
        if let Some(Image { stand_in: StandIn::Debian { package, .. }, .. }) = &server.image {
            packages.push(package);
        }
        if let Native::Python { .. } = server.native {
            let _lock = site.install_lock(server, say)?;
            install::install(site, server, say)?;
        }
    }
    let marker = site.common("root.installed");
    let wanted = format!("{} without {UNUSED}", packages.join(","));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say("unpacking a root of Debian");
    site::remove_file(&marker)?;
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let log = site.common("root.log");
    let out = File::create(&log)?;
    let (suite, mirror) = debian()?;
    let mut debootstrap = Command::new("debootstrap");
    // Unpacked and not configured: nothing here needs what the maintainers' scripts set up.
    debootstrap.args([
        "--foreign",
        "--variant=minbase",
        &format!("--include={}", packages.join(",")),
        &suite,
    ]);
    install::run(debootstrap.arg(&root).args(mirror), &out, &log)?;
    let archives = root.join("var/cache/apt/archives");
    for entry in fs::read_dir(&archives)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            let mut extract = Command::new("dpkg-deb");
            install::run(extract.arg("--extract").arg(&archive).arg(&root), &out, &log)?;
            fs::remove_file(&archive)?;
        }
    }
    for (from, to) in [("passwd.master", "passwd"), ("group.master", "group")] {
        fs::copy(root.join("usr/share/base-passwd").join(from), root.join("etc").join(to))?;
    }
    // A work tree may be in the home of root, and PostgreSQL's account must get to it.
    fs::set_permissions(root.join("root"), fs::Permissions::from_mode(0o755))?;
    link_programs(&root, "usr/lib/postgresql/*/bin/pg_isready")?;
    // Half of all files, each of which would be packed and unpacked for every run.
    let mut unused = Command::new("sh");
    unused.args(["-c", "rm -rf $UNUSED"]).current_dir(&root).env("UNUSED", UNUSED);
    install::run(&mut unused, &out, &log)?;
    fs::write(&marker, wanted).context("cannot note the root")
}

/// Makes the images in our own engine, and tells for each what it is made of.
pub(crate) fn make(site: &Site) -> Result<()> {
    let programs = site.common("engine/programs");
    fs::create_dir_all(&programs)?;
    import(site)?;
    for server in servers() {
        let Some(image) = &server.image else { continue };
        build(site, server, image, &programs)?;
    }
    Ok(())
}

/// The suite of this Debian, and the mirror that this machine uses.
fn debian() -> Result<(String, Option<String>)> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.context("this is not Debian")?.trim_matches('"').to_owned();
    let policy = Command::new("apt-cache").arg("policy").output().context("this is not Debian")?;
    Ok((suite.clone(), mirror(&String::from_utf8_lossy(&policy.stdout), &suite)))
}

/// The address of the suite's main component in what `apt-cache policy` prints.
fn mirror(policy: &str, suite: &str) -> Option<String> {
    let component = format!("{suite}/main");
    policy.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (address, found) = (words.next()?, words.next()?);
        (found == component && address.contains("://")).then(|| address.to_owned())
    })
}

/// Sends the root and the native installations to the engine as one image.
fn import(site: &Site) -> Result<()> {
    let log = site.common("engine/import.log");
    let out = File::create(&log)?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*"]);
    let mut paths = Vec::new();
    for server in
        servers().into_iter().filter(|server| matches!(server.native, Native::Python { .. }))
    {
        let venv = site.folder(server).join("venv");
        let ask = "import sys; print(sys.base_prefix)";
        let base = process::capture(Command::new(venv.join("bin/python")).args(["-c", ask]))?;
        paths.push(venv);
        // Debian's own Python is in the root.
        let base = PathBuf::from(base.trim());
        if base != Path::new("/usr") {
            for unused in ["site-packages", "test", "idlelib", "config-*"] {
                let pattern = base.join("lib/python3.*").join(unused);
                tar.arg(format!("--exclude={}", relative(&pattern).display()));
            }
            paths.extend([base.join("bin"), base.join("lib")]);
        }
    }
    let (vault, is_built) = vault_program(site)?;
    let link = root(site).join("usr/local/bin/vault");
    site::remove_file(&link)?;
    symlink(&vault, &link)?;
    // OpenBao's is there already.
    paths.extend(is_built.then_some(vault));
    paths.sort_unstable();
    paths.dedup();
    tar.arg("--directory").arg(root(site)).arg(".").args(["--directory", "/"]);
    tar.args(paths.iter().map(|path| relative(path)));
    let mut tar = tar
        .stdout(Stdio::piped())
        .stderr(out.try_clone()?)
        .spawn()
        .context("`tar` does not start")?;
    let archive = tar.stdout.take().context("`tar` has no output")?;
    let mut import = engine::docker(site);
    import.args(["import", "-", BASE]).stdin(archive).stdout(out.try_clone()?).stderr(out);
    let imported = import.status()?;
    let archived = tar.wait()?;
    ensure!(
        imported.success() && archived.success(),
        "the root is not imported (tar {archived}, docker {imported}):\n{}",
        site::tail(&log, 8)
    );
    Ok(())
}

fn build(site: &Site, server: &Server, image: &Image, programs: &Path) -> Result<()> {
    let mut dockerfile = format!("FROM {BASE}\n");
    let mut path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    let inside = |text: &str| {
        let text = text.replace("{address}", "0.0.0.0");
        site.fill(server, &text.replace("{port}", &image.port.to_string()))
    };
    let (made_of, entry): (String, Vec<String>) = match (&image.stand_in, &server.native) {
        (StandIn::Native, Native::Python { packages, command, environment }) => {
            let bin = site.folder(server).join("venv/bin");
            path = format!("{}:{path}", bin.display());
            for (name, value) in *environment {
                dockerfile += &format!("ENV {name}={}\n", Value::from(inside(value)));
            }
            // With arguments in docker-compose.yml, only the program.
            let taken = if image.command.is_empty() { command.len() } else { 1 };
            let entry = command.iter().take(taken).map(|word| inside(word)).collect();
            (format!("{} from PyPI", packages.first().unwrap_or(&"")), entry)
        }
        (StandIn::Native, Native::Go { module, version, .. }) => {
            let made_of = match vault_program(site)? {
                (_, true) => format!("{module} {version}, built here"),
                (_, false) => "OpenBao: HashiCorp Vault is not built here".to_owned(),
            };
            (made_of, vec![server.name.to_owned()])
        }
        (StandIn::Native, Native::Workspace { program, .. }) => {
            let copy = programs.join(program);
            fs::copy(process::target_dir().join("debug").join(program), &copy)
                .with_context(|| format!("{program} is not built"))?;
            (format!("{program} of this workspace"), Vec::new())
        }
        (StandIn::Debian { package, start }, _) => {
            let words = ["/bin/sh", "-c", *start].map(str::to_owned);
            (format!("{package} of Debian"), words.to_vec())
        }
        (StandIn::Native | StandIn::None, _) => return Ok(()),
    };
    dockerfile += &format!("ENV PATH={}\n", Value::from(path));
    if let Native::Workspace { .. } = server.native {
        dockerfile += "COPY fake-* /usr/local/bin/\n";
    } else {
        dockerfile += &format!("ENTRYPOINT {}\n", Value::from(entry));
    }
    fs::write(programs.join("Dockerfile"), dockerfile)?;
    let log = site.common("engine/build.log");
    let mut build = engine::docker(site);
    // The builder that needs no plugin.
    build.env("DOCKER_BUILDKIT", "0").args(["build", "--tag", image.reference]).arg(programs);
    install::run(&mut build, &File::create(&log)?, &log)?;
    writeln!(std::io::stderr(), "{:20} {} is made of {made_of}", server.name, image.reference)?;
    Ok(())
}

/// HashiCorp Vault, where it is built here, else OpenBao.
fn vault_program(site: &Site) -> Result<(PathBuf, bool)> {
    let vault = site.folder(named("vault")?).join("server");
    if vault.exists() {
        return Ok((vault, true));
    }
    Ok((site.folder(named("openbao")?).join("venv/bin/bao"), false))
}

fn named(name: &str) -> Result<&'static Server> {
    SERVERS.iter().find(|server| server.name == name).with_context(|| format!("no {name}"))
}

fn root(site: &Site) -> PathBuf {
    site.common("root")
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Links a program that Debian keeps under its version into a folder of `PATH`.
fn link_programs(root: &Path, pattern: &str) -> Result<()> {
    let (before, after) = pattern.split_once("/*/").context("a pattern has one star")?;
    let Some(version) = fs::read_dir(root.join(before))?.next() else { return Ok(()) };
    let programs = root.join("usr/local/bin");
    fs::create_dir_all(&programs)?;
    let target = Path::new("/").join(before).join(version?.file_name()).join(after);
    let name = target.file_name().context("a program has a name")?;
    Ok(symlink(&target, programs.join(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_suites_main_component() {
        let policy = "\
Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://mirror.example/security bookworm-security/main amd64 Packages
 500 http://mirror.example/debian bookworm/contrib amd64 Packages
 500 http://mirror.example/debian bookworm/main amd64 Packages
";
        let found = mirror(policy, "bookworm");
        assert_eq!(found.as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(mirror(policy, "trixie"), None);
    }

    #[test]
    fn a_server_of_a_suite_that_has_an_image_has_a_stand_in() {
        let names: Vec<&str> = servers().iter().map(|server| server.name).collect();
        for server in SERVERS.iter().filter(|server| server.image.is_some() && server.usual()) {
            assert!(names.contains(&server.name), "{}", server.name);
        }
    }
}
