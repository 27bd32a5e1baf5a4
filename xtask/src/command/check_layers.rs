//! `cargo xtask check-layers`: dependencies run one way, and pure crates stay pure.
//!
//! Reads the manifests through `cargo metadata` and compares them with the table in
//! [`crate::layers`]; then reads the source of the pure crates for what a manifest cannot show.

use crate::{layers, purity, workspace};
use std::process::ExitCode;

/// Prints every violation; fails if there is one.
pub(crate) fn run() -> ExitCode {
    let workspace = match workspace::load() {
        Ok(workspace) => workspace,
        Err(error) => return super::failed(error),
    };
    let mut found: Vec<String> = layers::check(&workspace.packages)
        .iter()
        .map(ToString::to_string)
        .collect();
    for package in workspace
        .packages
        .iter()
        .filter(|p| layers::is_pure(&p.name))
    {
        match purity::check(&package.directory) {
            Ok(uses) => found.extend(uses.iter().map(ToString::to_string)),
            Err(error) => return super::failed(error),
        }
    }
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!(
            "{} packages, dependencies run one way",
            workspace.packages.len()
        );
        ExitCode::SUCCESS
    } else {
        super::failed(format_args!("{} violations of the layers", found.len()))
    }
}
