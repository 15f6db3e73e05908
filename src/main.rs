//! The plugin's entry: everything is in the library, so that tests reach it.
use std::process::ExitCode;

fn main() -> ExitCode {
    dbsafe::run(std::env::args_os().skip(1).collect())
}
