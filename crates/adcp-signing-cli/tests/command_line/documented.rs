//! The commands of `docs/command-line.md`, as they are written there.

use std::{os::unix::fs::symlink, process::Command};

use super::*;

#[test]
fn every_documented_command_works_as_written() {
    let page = std::fs::read_to_string(workspace().join("docs/command-line.md")).unwrap();
    let page = page.replace("\\\n", "");
    let commands: Vec<_> = page
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .filter(|line| line.contains("cargo run -- "))
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    let examples = workspace().canonicalize().unwrap().join("examples");
    symlink(examples, folder.path().join("examples")).unwrap();
    for command in commands {
        let program = env!("CARGO_BIN_EXE_adcp-signing");
        let output = Command::new("sh")
            .args(["-c", &command.replace("cargo run -- ", "\"$PROGRAM\" ")])
            .env("PROGRAM", program)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(code(&output), 0, "{command}: {said}");
        let refused = said.contains("exit code 1");
        assert_eq!(refused, command.contains("exit code $?"), "{command}: {said}");
    }
}
