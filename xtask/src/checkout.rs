//! A work tree, and how cargo and git are called in it.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::process;

/// A work tree of a repository, the folder that cargo writes to, and variables for the programs
/// that run in it.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    root: PathBuf,
    target: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

impl Checkout {
    /// This work tree.
    pub(crate) fn here() -> Self {
        Self { root: process::root(), target: process::target_dir(), environment: Vec::new() }
    }

    /// Another work tree, with variables of its own, for tests.
    #[cfg(test)]
    pub(crate) fn of(root: &Path, environment: &[(&str, &OsStr)]) -> Self {
        let environment =
            environment.iter().map(|(name, value)| ((*name).into(), (*value).to_owned()));
        Self {
            root: root.to_owned(),
            target: root.join("target"),
            environment: environment.collect(),
        }
    }

    /// Another folder, with the same variables, that shares this one's target folder and so its
    /// third-party crates.
    pub(crate) fn beside(&self, root: PathBuf) -> Self {
        Self { root, ..self.clone() }
    }

    /// The folder at the top.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo writes.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The cargo that runs us, without an input to wait for.
    pub(crate) fn cargo<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = process::cargo(args);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(self.variables());
        command
    }

    /// Git, without an input to wait for.
    pub(crate) fn git<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new("git");
        command.args(args).current_dir(&self.root).stdin(Stdio::null()).envs(self.variables());
        command
    }

    /// What git printed, without the line end; a failure is an error.
    pub(crate) fn ask<I, S>(&self, args: I) -> Result<String>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Ok(process::capture(&mut self.git(args))?.trim_end().to_owned())
    }

    /// Whether git says yes, by its exit code.
    pub(crate) fn agrees<I, S>(&self, args: I) -> bool
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.git(args).output().is_ok_and(|output| output.status.success())
    }

    fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}
