//! The commands of the guides, run as they are written, against servers on this machine.
//!
//! All `sh` blocks of a page run in one shell, in a folder of their own with a copy of `examples`. A
//! `text` block that follows one has the lines that the block must print, in this order; `…` stands
//! for any text. A block with `no-run: REASON` is not run, and the reason is printed.
//!
//! Three things are replaced: `cargo run -- ` by the program that was built, the address of the
//! example's server by the real one, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long the commands of one page may take.
const LIMIT: &str = "120";
/// Printed between two blocks, on a line of its own.
const NEXT: &str = "--- the next block ---";
/// The server that the guides show.
const EXAMPLE_SERVER: &str = "https://bao.example:8200";

/// The variables that lead to what a guide needs, or the reason why it cannot run here.
fn needed<const N: usize>(names: [&str; N]) -> Option<[String; N]> {
    let mut values = names.map(|_| String::new());
    for (value, name) in values.iter_mut().zip(names) {
        match env::var(name) {
            Ok(set) => *value = set,
            Err(_) => {
                println!("skipped: {name} is not set");
                assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run");
                return None;
            }
        }
    }
    Some(values)
}

/// A development server of OpenBao for one guide, which nobody else has changed.
struct OpenBao {
    server: Child,
    address: String,
}

impl OpenBao {
    const TOKEN: &str = "root-of-the-guides";

    fn start(program: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let server = Command::new(program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={}", Self::TOKEN))
            .arg(format!("-dev-listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { server, address: format!("http://{address}") };
        let begun = Instant::now();
        loop {
            let status = Command::new(program)
                .args(["status", &format!("-address={}", server.address)])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if status.unwrap().success() {
                return server;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "OpenBao does not start");
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[derive(Debug, PartialEq)]
struct Block {
    line: usize,
    commands: String,
    /// The lines that it must print.
    expected: Option<String>,
}

/// The blocks to run, and the reasons why others are not.
fn blocks(page: &str) -> (Vec<Block>, Vec<String>) {
    let (mut found, mut left_out): (Vec<Block>, _) = (Vec::new(), Vec::new());
    let mut lines = page.lines().enumerate();
    let mut last_was_run = false;
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .map(|line| line.get(indent..).unwrap_or_default())
            .collect();
        let text = text.join("\n");
        match kind.split_once(' ') {
            None if kind == "sh" => {
                found.push(Block { line: number + 1, commands: text, expected: None });
                last_was_run = true;
            }
            None if kind == "text" && last_was_run => {
                found.last_mut().unwrap().expected = Some(text);
                last_was_run = false;
            }
            Some(("sh", why)) => {
                let why = why.strip_prefix("no-run: ").unwrap_or_else(|| panic!("{number}: {why}"));
                left_out.push(format!("line {}: {why}", number + 1));
                last_was_run = false;
            }
            _ => last_was_run = false,
        }
    }
    (found, left_out)
}

/// Whether the printed lines are the expected ones, where `…` stands for any text.
fn prints(printed: &str, expected: &str) -> bool {
    let fits = |line: &str, pattern: &str| {
        let mut parts = pattern.split('…');
        let Some(mut rest) = parts.next().and_then(|start| line.strip_prefix(start)) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            match rest.find(part) {
                _ if last => return rest.ends_with(part),
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty()
    };
    let mut printed = printed.lines();
    expected.lines().all(|pattern| printed.any(|line| fits(line.trim_end(), pattern)))
}

/// Runs the blocks of a page; `variables` are the shell's.
fn run(page: &str, variables: &[(&str, &str)], address: Option<&str>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (blocks, left_out) = blocks(&fs::read_to_string(root.join(page)).unwrap());
    assert!(!blocks.is_empty(), "{page} has no commands");
    for reason in left_out {
        println!("{page}, {reason}: not run");
    }

    let folder = tempfile::tempdir().unwrap();
    let examples = folder.path().join("examples");
    fs::create_dir(&examples).unwrap();
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, examples.join(path.file_name().unwrap())).unwrap();
    }
    for (name, text) in files(&fs::read_to_string(root.join(page)).unwrap()) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let commands = |block: &Block| {
        let commands = block.commands.replace("cargo run -- ", "adcp-signing ");
        match address {
            Some(address) => commands.replace(EXAMPLE_SERVER, address),
            None => commands,
        }
    };
    let script: String = blocks
        .iter()
        .map(|block| format!("{}\necho '{NEXT}'; echo '{NEXT}' >&2\n", commands(block)))
        .collect();

    let program = PathBuf::from(env!("CARGO_BIN_EXE_adcp-signing"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args([LIMIT, "bash", "-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOME", folder.path())
        .env_remove("BAO_TOKEN")
        .env_remove("VAULT_TOKEN")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    let parts: Vec<(&str, &str)> =
        printed.split(&format!("{NEXT}\n")).zip(complaints.split(&format!("{NEXT}\n"))).collect();
    for (index, block) in blocks.iter().enumerate() {
        let (printed, complained) = parts.get(index).copied().unwrap_or_default();
        let ended = parts.len() > index + 1;
        let at = format!("{page}, line {}:\n{}", block.line, commands(block));
        assert!(ended, "{at}\nfailed ({}):\n{printed}{complained}", output.status);
        if let Some(expected) = &block.expected {
            let printed = format!("{printed}{complained}");
            assert!(
                prints(&printed, expected),
                "{at}\nprinted:\n{printed}\nand the guide shows:\n{expected}"
            );
        }
    }
    assert!(output.status.success(), "{page}: {}", output.status);
}

/// The files that a page shows: a line that is the file's name in backticks and a colon, and the
/// block after it.
fn files(page: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = page.lines().collect();
    let named = lines.iter().enumerate().filter_map(|(at, line)| {
        let name = line.strip_prefix('`')?.strip_suffix("`:")?;
        let start = at + 2;
        lines.get(start)?.strip_prefix("```")?;
        let text: Vec<&str> =
            lines[start + 1..].iter().copied().take_while(|line| *line != "```").collect();
        Some((name.to_owned(), text.join("\n") + "\n"))
    });
    named.collect()
}

#[test]
fn blocks_are_found_with_what_they_print_and_why_others_are_left_out() {
    let page = "x\n```sh\na\nb\n```\n\n```text\nc…\n```\n```sh no-run: for no reason\nd\n```\n1.\n   ```sh\n   e\n   ```\n```text\nno output\n```\n```rust\nf\n```\n";
    let (found, left_out) = blocks(page);
    let block = |line, commands: &str, expected: Option<&str>| Block {
        line,
        commands: commands.to_owned(),
        expected: expected.map(str::to_owned),
    };
    assert_eq!(found, [block(2, "a\nb", Some("c…")), block(14, "e", Some("no output"))]);
    assert_eq!(left_out, ["line 10: for no reason"]);
    for (printed, expected, fits) in [
        ("a\nb\nc", "a\nc", true),
        ("a\nb\nc", "c\na", false),
        ("key 123 is ready", "key … is ready", true),
        ("key 123 is ready!", "key … is ready", false),
        ("key is", "key … is ready", false),
        ("verified, and more", "verified…", true),
        ("", "x", false),
    ] {
        assert_eq!(prints(printed, expected), fits, "{printed:?} {expected:?}");
    }
    let page = "`a.hcl`:\n\n```hcl\nx\ny\n```\n";
    assert_eq!(files(page), [("a.hcl".to_owned(), "x\ny\n".to_owned())]);
}

#[test]
fn five_minutes_on_a_laptop() {
    let names = ["ADCP_TEST_OPENBAO_BIN", "ADCP_TEST_MINISTACK_ENDPOINT"];
    let Some([bao, ministack]) = needed(names) else { return };
    let server = OpenBao::start(&bao);
    let variables = [
        ("ADCP_TEST_OPENBAO_BIN", bao.as_str()),
        ("ADCP_TEST_OPENBAO_ADDR", &server.address),
        ("ADCP_TEST_OPENBAO_TOKEN", OpenBao::TOKEN),
        ("ADCP_TEST_MINISTACK_ENDPOINT", &ministack),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    run("docs/laptop.md", &variables, None);
}

#[test]
fn the_command_line() {
    run("docs/command-line.md", &[], None);
}

#[test]
fn keys_in_vault_transit_and_openbao() {
    let Some([bao]) = needed(["ADCP_TEST_OPENBAO_BIN"]) else { return };
    let server = OpenBao::start(&bao);
    let folder = Path::new(&bao).parent().unwrap().display();
    let path = format!("{folder}:{}", env::var("PATH").unwrap());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_adcp-signing"));
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let variables = [("PATH", path.as_str()), ("ADMIN_TOKEN", OpenBao::TOKEN)];
    run("docs/backends/vault-transit.md", &variables, Some(&server.address));
}
