//! `cargo xtask release`: prepares a release in a copy of the repository, proves that its packages
//! stand on their own, and prints or runs the commands that publish it. docs/releasing.md is the
//! guide.

mod artifacts;
mod changelog;
mod packages;
mod preflight;
mod publication;
mod registry;
mod sbom;
#[cfg(test)]
mod tests;
mod versions;
mod workshop;

use std::{collections::BTreeMap, env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use semver::Version;
use time::{Date, OffsetDateTime};

use self::{
    artifacts::{Artifacts, Prepared},
    packages::{Depth, Unpacked},
    publication::Publication,
    workshop::Workshop,
};
use crate::{
    checkout::Checkout,
    metadata::Metadata,
    process::{self, Echo},
    report::Outcome,
    suites,
};

/// Options of `cargo xtask release`.
#[derive(Args)]
pub(crate) struct ReleaseArgs {
    /// The version, as in `1.2.3` or `1.2.3-rc.1`.
    version: Version,
    /// Prepare a copy of HEAD, without running the tests, and change nothing.
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Run the commands that publish, and go on where an earlier run stopped.
    #[arg(long)]
    execute: bool,
    /// The branch that is released.
    #[arg(long, default_value = "main")]
    branch: String,
    /// The remote that the branch and the tag are pushed to.
    #[arg(long, default_value = "origin")]
    remote: String,
}

/// Makes a release of this repository.
pub(crate) fn run(args: &ReleaseArgs) -> Result<bool> {
    release(&Checkout::here(), args, today(), &suites::run_all)?;
    Ok(true)
}

/// The dry run as a suite: whatever is committed, as the next minor version. What depends on the
/// moment, such as the branch or an empty changelog, is no failure here.
pub(crate) fn rehearse(name: &str, echo: Echo) -> Outcome {
    let work = Checkout::here();
    let in_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    match preflight::dirty(&work) {
        Ok(Some(dirty)) if !in_ci => {
            return Outcome::skip(name, format!("it packages what is committed, and {dirty}"));
        }
        Ok(_) => {}
        Err(error) => return Outcome::fail(name, format!("{error:#}")),
    }
    let run = || -> Result<u64> {
        let current = versions::current(&work)?;
        let next = Version::new(current.major, current.minor + 1, 0);
        let workshop = Workshop::open(&work)?;
        let preparation =
            Preparation { work: &work, workshop: &workshop, version: &next, dry_run: true };
        Ok(preparation.prepare(today(), echo)?.checks)
    };
    match run() {
        Ok(passed) => Outcome { passed, ..Outcome::pass(name) },
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}

fn release(
    work: &Checkout,
    args: &ReleaseArgs,
    today: Date,
    suite: &dyn Fn() -> Result<bool>,
) -> Result<()> {
    let version = &args.version;
    let workshop = Workshop::open(work)?;
    let preparation = Preparation { work, workshop: &workshop, version, dry_run: args.dry_run };
    let prepared = match preparation.earlier()? {
        Some(prepared) => {
            eprintln!("going on with {version} as it was prepared at {}", prepared.commit);
            refuse(
                preflight::dirty(work)?
                    .into_iter()
                    .chain(preflight::off_branch(work, &args.branch)?)
                    .collect(),
            )?;
            prepared
        }
        None => {
            refuse(preflight::refusals(work, version, &args.branch)?)?;
            if !args.dry_run {
                ensure!(suite()?, "the tests fail: nothing was changed");
            }
            preparation.prepare(today, Echo::Stdout)?.prepared
        }
    };
    println!("\nprepared: {}", preparation.artifacts().folder().display());
    let publication = Publication {
        work,
        prepared: &prepared,
        branch: &args.branch,
        remote: &args.remote,
        scratch: workshop.scratch(),
    };
    if args.dry_run {
        publication.rehearse();
    } else if args.execute {
        publication.execute(&workshop.lay_out(&prepared.commit)?)?;
        println!("\nreleased {version}");
    } else {
        publication.print()?;
    }
    Ok(())
}

fn refuse(reasons: Vec<String>) -> Result<()> {
    match reasons.as_slice() {
        [] => Ok(()),
        [reason] => bail!("{reason}"),
        _ => bail!("several things are in the way:\n  - {}", reasons.join("\n  - ")),
    }
}

/// The day in UTC, which the changelog gets.
fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// How a release is prepared.
struct Preparation<'a> {
    work: &'a Checkout,
    workshop: &'a Workshop<'a>,
    version: &'a Version,
    dry_run: bool,
}

/// What came of it.
struct Done {
    prepared: Prepared,
    /// Packages and feature sets that were found good.
    checks: u64,
}

impl Preparation<'_> {
    fn artifacts(&self) -> Artifacts {
        Artifacts::of(self.work.target(), self.version, self.dry_run)
    }

    /// A release that was prepared before, if the branch still stands where it was prepared, or has
    /// it already.
    fn earlier(&self) -> Result<Option<Prepared>> {
        if self.dry_run {
            return Ok(None);
        }
        let Some(prepared) = self.artifacts().load()? else { return Ok(None) };
        let known =
            self.work.agrees(["cat-file", "-e", &format!("{}^{{commit}}", prepared.commit)]);
        let begun =
            known && self.work.agrees(["merge-base", "--is-ancestor", &prepared.commit, "HEAD"]);
        let here = known && self.work.ask(["rev-parse", "HEAD"])? == prepared.base;
        Ok((begun || here).then_some(prepared))
    }

    fn prepare(&self, today: Date, echo: Echo) -> Result<Done> {
        let base = self.work.ask(["rev-parse", "HEAD"])?;
        let tree = self.workshop.lay_out(&base)?;
        self.rewrite(&tree, today)?;
        let commit = self.commit(&tree)?;
        locks_fit(&tree)?;

        let metadata = Metadata::of_workspace(&tree)?;
        let crates = metadata.published()?;
        let shared = packages::shared_version(&crates)?;
        ensure!(
            shared == self.version,
            "the crates have version {shared} after they were set to {}",
            self.version
        );
        let packaged = packages::package(&tree, &crates, echo)?;
        let unpacked = Unpacked::unpack(&tree, &packaged, &crates, &self.workshop.packages())?;
        let depth = if self.dry_run { Depth::Check } else { Depth::Build };
        let mut checks = 0;
        for package in &crates {
            unpacked.compile(package, depth, echo)?;
            checks += 1;
        }
        for package in crates.iter().filter(|package| package.has_library()) {
            checks += unpacked.document(package, echo)?;
        }

        let artifacts = self.artifacts();
        let crates = artifacts.collect(&packaged)?;
        let checksums: BTreeMap<String, String> =
            crates.iter().map(|package| (package.name.clone(), package.sha256.clone())).collect();
        let mut time = tree.git([
            "show",
            "--no-patch",
            "--format=%cd",
            "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
        ]);
        let timestamp = process::capture(time.env("TZ", "UTC"))?;
        let release = sbom::Release {
            version: &self.version.to_string(),
            commit: &commit,
            timestamp: timestamp.trim_end(),
            checksums: &checksums,
        };
        let sbom = sbom::describe(&tree, &release)?;
        let prepared = Prepared { version: self.version.clone(), commit, base, crates };
        artifacts.complete(&prepared, &sbom)?;
        Ok(Done { prepared, checks })
    }

    /// Sets the version, and moves the changelog's section unless it was moved before.
    fn rewrite(&self, tree: &Checkout, today: Date) -> Result<()> {
        let changed = versions::set(tree, &versions::current(tree)?, self.version)?;
        eprintln!("version {} set in: {}", self.version, changed.join(", "));
        let path = tree.root().join("CHANGELOG.md");
        let text = fs::read_to_string(&path).context("cannot read CHANGELOG.md")?;
        if changelog::released(&text).contains(self.version)
            || (self.dry_run && !changelog::has_news(&text))
        {
            return Ok(());
        }
        let metadata = Metadata::of_workspace(tree)?;
        let repository = metadata.packages.iter().find_map(|package| package.repository.as_deref());
        let repository = repository.context("no crate names its repository")?;
        let text = changelog::release(&text, self.version, &today.to_string(), repository)?;
        fs::write(&path, text).context("cannot write CHANGELOG.md")
    }

    /// Commits what was rewritten, if anything was, and names the commit.
    fn commit(&self, tree: &Checkout) -> Result<String> {
        if preflight::dirty(tree)?.is_some() {
            let mut git = tree.git(["-c", "core.safecrlf=false"]);
            if self.dry_run {
                // Nobody's name, signature or hook is needed for what is thrown away.
                git.args(["-c", "user.name=dry run", "-c", "user.email=dry-run@localhost"]);
                git.args(["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"]);
            }
            git.args([
                "commit",
                "--quiet",
                "--all",
                "--message",
                &format!("Release {}", self.version),
            ]);
            let status = process::status(&mut git)?;
            ensure!(status.success(), "git commit failed: {status}");
        }
        tree.ask(["rev-parse", "HEAD"])
    }
}

/// Every lock file fits its manifest, with the new version in both.
fn locks_fit(tree: &Checkout) -> Result<()> {
    for lock in tree.ask(["ls-files", "--", "Cargo.lock", "*/Cargo.lock"])?.lines() {
        let manifest = tree.root().join(lock).with_file_name("Cargo.toml");
        let mut cargo =
            tree.cargo(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
        let output = cargo.arg(&manifest).output().context("cannot start cargo")?;
        ensure!(
            output.status.success(),
            "{lock} does not fit its manifest: run `cargo update --workspace` there. {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
