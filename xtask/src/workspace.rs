//! The workspace as `cargo metadata` describes it: packages, their direct dependencies, paths.
//!
//! Manifests are not read by hand, so renames, target tables and inheritance are cargo's concern.

use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the chores need to know about the workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The directory of its manifest.
    pub(crate) directory: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency, by the name of the package even where the manifest renames it.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Which builds a dependency takes part in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Build,
    Dev,
    Normal,
}

/// Why the workspace is not known.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// `cargo metadata` could not be started.
    Cargo(std::io::Error),
    /// `cargo metadata` failed; the text is its own message.
    Metadata(String),
    /// The output lacks a field or is not JSON.
    Shape(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo(source) => write!(f, "cannot start cargo: {source}"),
            Self::Metadata(text) => write!(f, "cargo metadata failed: {}", text.trim()),
            Self::Shape(field) => write!(f, "cargo metadata has no usable `{field}`"),
        }
    }
}

/// The directory of the root manifest.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a directory of the workspace")
}

/// The variables by which `cargo run` describes the package it runs.
const OF_THIS_PACKAGE: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_"];

/// The cargo that runs this program, to be run in the root of the workspace.
///
/// It gets the environment of whoever called the outer cargo: build scripts (ring's is one) watch
/// these variables, and would compile again, with all that stands above, each time a build under
/// `cargo xtask` follows a plain one.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Asks cargo for the workspace.
///
/// # Errors
///
/// Cargo cannot be run, refuses a manifest, or answers in a shape this program does not know.
pub(crate) fn load() -> Result<Workspace, LoadError> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .map_err(LoadError::Cargo)?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(LoadError::Metadata(text));
    }
    parse(&output.stdout)
}

/// Reads the output of `cargo metadata --format-version 1 --no-deps`.
pub(crate) fn parse(json: &[u8]) -> Result<Workspace, LoadError> {
    let value: Value = serde_json::from_slice(json).map_err(|_| LoadError::Shape("json"))?;
    Ok(Workspace {
        packages: list(&value, "packages")?
            .iter()
            .map(package)
            .collect::<Result<_, _>>()?,
        target_directory: text(&value, "target_directory")?.into(),
    })
}

fn package(value: &Value) -> Result<Package, LoadError> {
    let manifest = Path::new(text(value, "manifest_path")?);
    let directory = manifest.parent().ok_or(LoadError::Shape("manifest_path"))?;
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        directory: directory.to_owned(),
        dependencies: list(value, "dependencies")?
            .iter()
            .map(dependency)
            .collect::<Result<_, _>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency, LoadError> {
    let kind = match value.get("kind") {
        Some(Value::Null) => Kind::Normal,
        Some(Value::String(kind)) if kind == "build" => Kind::Build,
        Some(Value::String(kind)) if kind == "dev" => Kind::Dev,
        _ => return Err(LoadError::Shape("kind")),
    };
    Ok(Dependency {
        name: text(value, "name")?.to_owned(),
        kind,
    })
}

fn text<'a>(value: &'a Value, field: &'static str) -> Result<&'a str, LoadError> {
    let text = value.get(field).and_then(Value::as_str);
    text.ok_or(LoadError::Shape(field))
}

fn list<'a>(value: &'a Value, field: &'static str) -> Result<&'a [Value], LoadError> {
    let list = value.get(field).and_then(Value::as_array);
    list.map(Vec::as_slice).ok_or(LoadError::Shape(field))
}
