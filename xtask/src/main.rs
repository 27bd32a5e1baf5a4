//! The project's chores: `cargo xtask COMMAND`, listed by `cargo xtask help`.
//!
//! In scope: what has to be the same on every machine, such as running every test, the direction
//! of dependencies and the measures of the source. Out of scope: anything a user of Lingqu needs.
//! Nothing heavy is linked, so that the first command on a fresh checkout starts within seconds.
//! Start reading at [`command::COMMANDS`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: results go to stdout, what went wrong to stderr"
)]

mod canaries;
mod command;
mod layers;
mod purity;
mod source;
mod tools;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let name = args.next().unwrap_or_else(|| "help".into());
    let rest: Vec<_> = args.collect();
    match command::find(&name) {
        Some(command) => (command.run)(&rest),
        None => {
            eprintln!("error: unknown command `{}`\n", name.display());
            eprint!("{}", command::usage());
            command::USAGE_ERROR.into()
        }
    }
}
