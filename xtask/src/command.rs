//! The commands, one file each, and the one table that names them.
//!
//! Exit codes: 0 when everything is as it should be, 1 when something was found or failed, 2 when
//! the command line is wrong. `test` hands on the exit code of `cargo test`.

mod accounting;
mod acro;
mod check_layers;
mod dist;
mod generate;
mod help;
mod maker;
mod models;
pub(crate) mod peers;
mod sizes;
mod test;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// The exit code for a command line that cannot be understood.
pub(crate) const USAGE_ERROR: u8 = 2;

/// One command of `cargo xtask`.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// What it does, as one line of the usage text.
    pub(crate) summary: &'static str,
    /// Runs it with the arguments that follow its name.
    pub(crate) run: fn(&[OsString]) -> ExitCode,
}

/// Every command, in the order of the usage text.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "accounting",
        summary: "write what dp-accounting says of privacy budgets; --check only compares",
        run: accounting::run,
    },
    Command {
        name: "acro",
        summary: "judge random tables by acro, for the guard's test; --check only compares",
        run: acro::run,
    },
    Command {
        name: "check-layers",
        summary: "check that dependencies run one way and pure crates stay pure",
        run: |args| without_arguments(args, check_layers::run),
    },
    Command {
        name: "dist",
        summary: "make the archive for machines without a network: binary, units, samples, manuals",
        run: dist::run,
    },
    Command {
        name: "gen",
        summary: "regenerate proto/src/generated from the .proto files",
        run: |args| without_arguments(args, generate::run),
    },
    Command {
        name: "help",
        summary: "print this text",
        run: |args| without_arguments(args, help::run),
    },
    Command {
        name: "models",
        summary: "train and export the models that the scorer is tested with; --check only compares",
        run: models::run,
    },
    Command {
        name: "peers",
        summary: "bring what `benches statistic` is measured beside: roapi, and ADBC's client",
        run: |args| without_arguments(args, peers::run),
    },
    Command {
        name: "sizes",
        summary: "print the largest source files and the longest functions",
        run: |args| without_arguments(args, sizes::run),
    },
    Command {
        name: "test",
        summary: "run every test, then search its output for canaries; arguments go to cargo test",
        run: test::run,
    },
];

/// The command of this name.
pub(crate) fn find(name: &OsStr) -> Option<&'static Command> {
    let name = match name.to_str()? {
        "-h" | "--help" => "help",
        name => name,
    };
    COMMANDS.iter().find(|command| command.name == name)
}

/// The usage text.
pub(crate) fn usage() -> String {
    let mut text = "usage: cargo xtask COMMAND [ARGS]\n\n".to_owned();
    for Command { name, summary, .. } in COMMANDS {
        text.push_str(&format!("  {name:<14}{summary}\n"));
    }
    text
}

fn without_arguments(args: &[OsString], run: fn() -> ExitCode) -> ExitCode {
    match args.first() {
        None => run(),
        Some(arg) => {
            eprintln!("error: unexpected argument `{}`\n", arg.display());
            eprint!("{}", usage());
            USAGE_ERROR.into()
        }
    }
}

/// Says what went wrong and ends with exit code 1.
fn failed(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
