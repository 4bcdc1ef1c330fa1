//! Where a release is made: a work tree of git's own under the target folder, so that the
//! developer's is not touched.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};

use crate::checkout::Checkout;

/// The folder, held by one run at a time.
pub(crate) struct Workshop<'a> {
    work: &'a Checkout,
    folder: PathBuf,
    _lock: File,
}

impl<'a> Workshop<'a> {
    /// Opens it, after any other run in this target folder.
    pub(crate) fn open(work: &'a Checkout) -> Result<Self> {
        let folder = work.target().join("release-work");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let lock =
            File::create(folder.join("lock")).context("cannot create the lock of a release")?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .context("cannot lock a release")?;
        let workshop = Self { work, folder, _lock: lock };
        workshop.clear();
        Ok(workshop)
    }

    /// Lays out the commit. Always in the same folder, so that what cargo built there before can be
    /// used again.
    pub(crate) fn lay_out(&self, commit: &str) -> Result<Checkout> {
        self.clear();
        let tree = self.tree();
        let mut git =
            self.work.git(["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet"]);
        // Forced, as git may still list one whose folder was deleted.
        let output = git
            .args(["--force", "--detach"])
            .arg(&tree)
            .arg(commit)
            .output()
            .context("cannot start git")?;
        ensure!(
            output.status.success(),
            "git worktree add failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(self.work.beside(tree))
    }

    /// For the unpacked packages.
    pub(crate) fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// For questions to the registry.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("registry")
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Takes away the tree, also one that a run left behind.
    fn clear(&self) {
        let tree = self.tree();
        let _ = self.work.git(["worktree", "remove", "--force", "--force"]).arg(&tree).output();
        let _ = fs::remove_dir_all(&tree);
    }
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
