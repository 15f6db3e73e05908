//! How many inputs made by chance are tried, and where those that failed are kept.

use proptest::test_runner::{Config, FileFailurePersistence};

/// For the tests of one file: what failed once stands beside it, as `*.regressions`, and is tried first from then on.
/// `PROPTEST_CASES`, where it is set, says more than `cases`.
pub(crate) fn config(cases: u32, source_file: &'static str) -> Config {
    let default = Config::default();
    Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(source_file),
        ..default
    }
}
