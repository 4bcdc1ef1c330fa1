//! Runs the blocks of a page in one shell, in a folder of their own with a copy of `examples`.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    left_out::entry,
    page::{Block, blocks, files, prints, section},
};

/// How long the commands of one page may take, in seconds.
const LIMIT: &str = "180";
/// Printed between two blocks, on a line of its own.
const NEXT: &str = "--- the next block ---";
/// Functions for `before`, and what stands in for cargo.
const PRELUDE: &str = include_str!("prelude.sh");

/// A page, or one section of it, and what has to be there before its commands.
pub(super) struct Guide {
    pub(super) page: &'static str,
    /// The heading of the section.
    pub(super) section: Option<&'static str>,
    /// Variables of the environment that lead to servers and programs.
    pub(super) variables: &'static [&'static str],
    /// Programs that the commands need, other than those that every machine here has.
    pub(super) programs: &'static [&'static str],
    /// Run before the first block: what the page presupposes.
    pub(super) before: &'static str,
    /// Names and addresses that the page makes up, and the real ones. `$PORT` is the free port.
    pub(super) made_up: &'static [(&'static str, &'static str)],
}

impl Guide {
    /// A guide that needs nothing.
    pub(super) const fn new(page: &'static str) -> Self {
        let (variables, programs, made_up) = (&[], &[], &[]);
        Self { page, section: None, variables, programs, before: "", made_up }
    }

    /// What it shows.
    pub(super) fn text(&self) -> String {
        let page = fs::read_to_string(root().join(self.page)).unwrap();
        match self.section {
            None => page,
            Some(heading) => section(&page, heading)
                .unwrap_or_else(|| panic!("{} has no section `{heading}`", self.page)),
        }
    }

    /// What this machine lacks.
    fn lacks(&self) -> Option<String> {
        let unset = self.variables.iter().find(|name| env::var_os(name).is_none());
        let unset = unset.map(|name| format!("{name} is not set"));
        let paths: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap()).collect();
        let missing = self
            .programs
            .iter()
            .find(|name| !paths.iter().any(|folder| folder.join(name).is_file()));
        unset.or_else(|| missing.map(|name| format!("{name} is not installed")))
    }

    /// Runs its blocks, and compares what they print with what the page shows.
    pub(super) fn run(&self) {
        if let Some(lacks) = self.lacks() {
            println!("skipped: {lacks}");
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {lacks}");
            return;
        }
        let (page, text) = (self.page, self.text());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let commands = |block: &Block| {
            self.made_up.iter().fold(block.commands.clone(), |commands, (example, real)| {
                commands.replace(example, &real.replace("$PORT", &port.to_string()))
            })
        };
        let (left_out, blocks): (Vec<Block>, Vec<Block>) =
            blocks(&text).into_iter().partition(|block| entry(page, &block.commands).is_some());
        for block in left_out {
            let (_, reason) = entry(page, &block.commands).unwrap();
            println!("{page}, line {}: not run: {reason}", block.line);
        }
        assert!(!blocks.is_empty(), "{page} has no commands");

        let folder = folder(&text);
        let next = format!("\necho '{NEXT}'\n");
        let script: String =
            blocks.iter().map(|block| format!("{}{next}", commands(block))).collect();
        let program = Path::new(env!("CARGO_BIN_EXE_adcp-signing")).parent().unwrap();
        let bao = env::var_os("ADCP_TEST_OPENBAO_BIN").map(PathBuf::from);
        let paths = [Some(program), bao.as_deref().and_then(Path::parent)];
        let paths = paths.into_iter().flatten().map(PathBuf::from);
        let inherited = env::var_os("PATH").unwrap();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let output = Command::new("timeout")
            .args([LIMIT, "bash", "-euo", "pipefail", "-c"])
            .arg(format!("{PRELUDE}\n{}{next}{script}", self.before))
            .current_dir(folder.path())
            .env("PATH", env::join_paths(paths.chain(env::split_paths(&inherited))).unwrap())
            .env("CARGO_HOME", cargo_home())
            .env("HOME", folder.path().join("home"))
            .env("CHECKOUT", root())
            .env("TARGET", root().join(target))
            .env("PORT", port.to_string())
            .env_remove("BAO_TOKEN")
            .env_remove("VAULT_TOKEN")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let parts: Vec<&str> = printed.split(&format!("{NEXT}\n")).collect();
        assert!(parts.len() > 1, "{page}: what comes before it failed:\n{printed}");
        for (index, block) in blocks.iter().enumerate() {
            let printed = parts.get(index + 1).copied().unwrap_or_default();
            let at = format!("{page}, line {}:\n{}", block.line, commands(block));
            assert!(parts.len() > index + 2, "{at}\nfailed ({}):\n{printed}", output.status);
            if let Some(expected) = &block.expected {
                assert!(
                    prints(printed, expected),
                    "{at}\nprinted:\n{printed}\nand the guide shows:\n{expected}"
                );
            }
        }
        assert!(output.status.success(), "{page}: {}", output.status);
    }
}

/// The work tree.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A new folder with `examples`, and the files that the page shows.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let examples = folder.path().join("examples");
    fs::create_dir(&examples).unwrap();
    fs::create_dir(folder.path().join("home")).unwrap();
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, examples.join(path.file_name().unwrap())).unwrap();
    }
    for (name, text) in files(text) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Where cargo has its packages, which `HOME` no longer leads to.
fn cargo_home() -> PathBuf {
    let usual = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(usual, PathBuf::from)
}
