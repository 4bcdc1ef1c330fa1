//! The steps that make a prepared release public. Each knows whether it is done by looking at the
//! repository, the remote or the registry, so that a run after a failure goes on where the last one
//! stopped.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    artifacts::{Prepared, PreparedCrate},
    registry,
};
use crate::{checkout::Checkout, process};

/// Where a prepared release goes.
pub(crate) struct Publication<'a> {
    /// The developer's work tree, on the branch.
    pub(crate) work: &'a Checkout,
    pub(crate) prepared: &'a Prepared,
    pub(crate) branch: &'a str,
    pub(crate) remote: &'a str,
    /// A folder for questions to the registry.
    pub(crate) scratch: PathBuf,
}

/// One step. The branch goes first, as a push can be refused and publishing cannot be undone; the
/// tag says that all of it is out, and comes last.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The branch moves on to the release commit.
    MoveBranch,
    /// The remote's branch follows.
    PushBranch,
    /// The crates go to the registry, each after those it depends on.
    Publish,
    /// The commit is tagged.
    Tag,
    /// The remote gets the tag.
    PushTag,
}

const STEPS: [Step; 5] =
    [Step::MoveBranch, Step::PushBranch, Step::Publish, Step::Tag, Step::PushTag];

impl Publication<'_> {
    /// The commands in order, and which of them are done.
    pub(crate) fn print(&self) -> Result<()> {
        println!("\nTo publish {}, in this order:\n", self.prepared.version);
        for step in STEPS {
            let done = if self.is_done(step)? { "  # done" } else { "" };
            println!("    {}{done}", shell(&self.command(step, self.work, &[])));
        }
        println!(
            "\n`cargo xtask release {} --execute` runs what is not done.",
            self.prepared.version
        );
        Ok(())
    }

    /// The commands of a release that is not going to be.
    pub(crate) fn rehearse(&self) {
        println!("\nTo publish {}, these would be run:\n", self.prepared.version);
        for step in STEPS {
            println!("    {}", shell(&self.command(step, self.work, &[])));
        }
    }

    /// Runs what is not done, with the crates published from `tree`, which has the release commit.
    pub(crate) fn execute(&self, tree: &Checkout) -> Result<()> {
        for step in STEPS {
            if self.is_done(step)? {
                eprintln!("done already: {}", shell(&self.command(step, tree, &[])));
                continue;
            }
            // What failed may have taken all the same, such as an upload whose answer was lost. Then
            // cargo goes on with the crates that are left.
            loop {
                let published = self.published()?;
                let mut command = self.command(step, tree, &published);
                eprintln!("\n{}", shell(&command));
                let status = process::status(&mut command)?;
                // A registry may need a while to show what it took; what cargo says counts.
                if self.is_done(step)? || (matches!(step, Step::Publish) && status.success()) {
                    break;
                }
                ensure!(
                    self.published()?.len() > published.len(),
                    "`{}` failed: {status}. Mend what is in the way and run the same release again: \
                     what is done is not done twice",
                    shell(&command)
                );
            }
        }
        Ok(())
    }

    fn command(&self, step: Step, tree: &Checkout, published: &[&str]) -> Command {
        let Prepared { version, commit, .. } = self.prepared;
        match step {
            Step::MoveBranch => self.work.git(["merge", "--ff-only", commit]),
            Step::PushBranch => self.work.git(["push", self.remote, self.branch]),
            // It was built from its package when it was prepared.
            Step::Publish => {
                let mut cargo = tree.cargo(["publish", "--locked", "--no-verify", "--workspace"]);
                cargo.args(published.iter().flat_map(|name| ["--exclude", name]));
                cargo
            }
            Step::Tag => {
                let message = format!("adcp-signing {version}");
                self.work.git(["tag", "--annotate", "--message", &message, &self.tag(), commit])
            }
            Step::PushTag => {
                self.work.git(["push", self.remote, &format!("refs/tags/{}", self.tag())])
            }
        }
    }

    /// The crates that the registry has.
    fn published(&self) -> Result<Vec<&str>> {
        let mut names = Vec::new();
        for package in &self.prepared.crates {
            if self.is_published(package)? {
                names.push(package.name.as_str());
            }
        }
        Ok(names)
    }

    fn is_published(&self, package: &PreparedCrate) -> Result<bool> {
        let Prepared { version, .. } = self.prepared;
        match registry::checksum(self.work, &self.scratch, &package.name, version)? {
            Some(there) if there == package.sha256 => Ok(true),
            Some(there) => bail!(
                "the registry has {} {version} with SHA-256 {there}, and what was prepared here has {}: it was \
                 published from something else",
                package.name,
                package.sha256
            ),
            None => Ok(false),
        }
    }

    fn is_done(&self, step: Step) -> Result<bool> {
        let Prepared { commit, .. } = self.prepared;
        match step {
            Step::MoveBranch => {
                Ok(self.work.agrees(["merge-base", "--is-ancestor", commit, "HEAD"]))
            }
            Step::PushBranch => {
                let there = self.on_remote(&format!("refs/heads/{}", self.branch))?;
                Ok(there.is_some_and(|there| {
                    self.work.agrees(["merge-base", "--is-ancestor", commit, &there])
                }))
            }
            Step::Publish => Ok(self.published()?.len() == self.prepared.crates.len()),
            Step::Tag => {
                let tag = format!("refs/tags/{}^{{commit}}", self.tag());
                if !self.work.agrees(["rev-parse", "--quiet", "--verify", &tag]) {
                    return Ok(false);
                }
                self.same(&self.work.ask(["rev-parse", &tag])?, "the tag")
            }
            Step::PushTag => match self.on_remote(&format!("refs/tags/{}^{{}}", self.tag()))? {
                Some(there) => self.same(&there, "the remote's tag"),
                None => Ok(false),
            },
        }
    }

    fn same(&self, found: &str, what: &str) -> Result<bool> {
        let Prepared { version, commit, .. } = self.prepared;
        ensure!(found == commit, "{what} v{version} is at {found}, and the release is {commit}");
        Ok(true)
    }

    /// What a reference of the remote points to.
    fn on_remote(&self, reference: &str) -> Result<Option<String>> {
        let listed = self.work.ask(["ls-remote", self.remote, reference]);
        let listed =
            listed.with_context(|| format!("the remote `{}` does not answer", self.remote))?;
        Ok(listed.split_whitespace().next().map(str::to_owned))
    }

    fn tag(&self) -> String {
        format!("v{}", self.prepared.version)
    }
}

/// A command as one would type it.
fn shell(command: &Command) -> String {
    let program =
        std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@+".contains(letter);
        if word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_printed_as_they_can_be_typed() {
        let mut command = Command::new("/somewhere/bin/git");
        command.args(["tag", "--message", "adcp-signing 0.2.0", "it's", "v0.2.0"]);
        assert_eq!(shell(&command), r"git tag --message 'adcp-signing 0.2.0' 'it'\''s' v0.2.0");
    }
}
