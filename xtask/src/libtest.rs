//! Reads the output of `cargo test`: how many tests ran and how each binary ended.

/// What a run of test binaries said in sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests marked `#[ignore]`.
    pub(crate) ignored: u64,
    /// Tests that binaries announced but gave no result for: the binary died on the way.
    announced: u64,
}

impl Tally {
    /// Takes one line of output in, and tells whether tests begin with it.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        let begins = announced(line);
        if let Some(count) = begins {
            self.announced += count;
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count_of(counts, "passed");
            self.failed += count_of(counts, "failed");
            self.ignored += count_of(counts, "ignored");
        }
        begins.is_some()
    }

    /// Tests that ran to a result.
    pub(crate) fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// Tests that were announced and never accounted for.
    pub(crate) fn lost(&self) -> u64 {
        self.announced.saturating_sub(self.ran() + self.ignored)
    }
}

/// `running 12 tests` → 12.
fn announced(line: &str) -> Option<u64> {
    let (count, noun) = line.strip_prefix("running ")?.split_once(' ')?;
    matches!(noun, "test" | "tests").then_some(())?;
    count.parse().ok()
}

/// The number before `word` in `ok. 12 passed; 0 failed; …`.
fn count_of(counts: &str, word: &str) -> u64 {
    let mut before = "";
    for token in counts.split([' ', ';', '.']).filter(|token| !token.is_empty()) {
        if token == word {
            return before.parse().unwrap_or(0);
        }
        before = token;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| _ = tally.read(line));
        tally
    }

    #[test]
    fn results_of_several_binaries_add_up() {
        let tally = tally(
            "running 13 tests\n\
             test a ... ok\n\
             test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             \n\
             running 1 test\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.ignored), (12, 1, 1));
        assert_eq!((tally.ran(), tally.lost()), (13, 0));
    }

    #[test]
    fn a_binary_that_dies_loses_its_tests() {
        let tally = tally("running 5 tests\ntest a ... ok\n");
        assert_eq!((tally.ran(), tally.lost()), (0, 5));
    }

    #[test]
    fn an_empty_binary_ran_nothing() {
        let tally = tally(
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured\n",
        );
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn what_a_test_prints_is_not_counted() {
        for line in ["running late", "running 5 miles", "the test result: ok. 9 passed", "9 passed"]
        {
            assert_eq!(tally(line), Tally::default(), "{line}");
        }
    }
}
