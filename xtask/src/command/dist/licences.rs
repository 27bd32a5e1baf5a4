//! The licences of everything that is linked into the programs: each package's own texts, and one list of all.
//!
//! Only what reaches a program counts: normal dependencies, for this machine's platform. A package that ships no text
//! is listed with the licence that its manifest states.

use super::staging::Staging;
use super::{DistError, PROGRAMS};
use crate::workspace::{self, LoadError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// How the files begin that hold a licence or what it demands to be passed on.
const BEGINNINGS: &[&str] = &[
    "copying",
    "copyright",
    "licence",
    "license",
    "notice",
    "unlicense",
];

/// One linked package that is not ours.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Linked {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: String,
    pub(super) directory: PathBuf,
}

/// Writes `licences/` into the staging directory.
pub(super) fn fill(staging: &Staging) -> Result<(), DistError> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = workspace::cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            &platform,
        ])
        .output()
        .map_err(|error| DistError::Load(LoadError::Cargo(error)))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(DistError::Load(LoadError::Metadata(text)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| DistError::Load(LoadError::Shape("json")))?;
    let mut list = String::from("package\tversion\tlicence\ttexts\n");
    for package in linked(&metadata).map_err(DistError::Load)? {
        let mut texts = Vec::new();
        for path in found(&package.directory)? {
            let name = path
                .strip_prefix(&package.directory)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let bytes = fs::read(&path).map_err(|error| DistError::File(path.clone(), error))?;
            let place = format!("licences/{}-{}/{name}", package.name, package.version);
            staging.write(&place, &bytes)?;
            texts.push(name);
        }
        let Linked {
            name,
            version,
            licence,
            ..
        } = &package;
        let texts = if texts.is_empty() {
            "-".to_owned()
        } else {
            texts.join(", ")
        };
        let _ = writeln!(list, "{name}\t{version}\t{licence}\t{texts}");
    }
    staging.write("licences/LIST.tsv", list.as_bytes())
}

/// The packages that reach a program, ours left out, sorted.
pub(super) fn linked(metadata: &Value) -> Result<Vec<Linked>, LoadError> {
    let shape = LoadError::Shape;
    let array = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
    let packages = array(metadata.get("packages")).ok_or(shape("packages"))?;
    let nodes = array(metadata.pointer("/resolve/nodes")).ok_or(shape("resolve"))?;
    let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in &nodes {
        let of = id(node).ok_or(shape("id"))?;
        uses.insert(of, normal(node).ok_or(shape("deps"))?);
    }
    let mut open = Vec::new();
    for program in PROGRAMS {
        let found = packages
            .iter()
            .find(|package| package["name"] == program.package);
        open.push(found.and_then(id).ok_or(shape(program.package))?);
    }
    let mut reached = BTreeSet::new();
    while let Some(next) = open.pop() {
        if reached.insert(next.clone()) {
            open.extend(uses.get(&next).cloned().unwrap_or_default());
        }
    }
    let mut linked = Vec::new();
    for package in &packages {
        // Ours come from no registry.
        let foreign = !package["source"].is_null();
        if foreign && id(package).is_some_and(|id| reached.contains(&id)) {
            linked.push(read(package).ok_or(shape("package"))?);
        }
    }
    linked.sort();
    Ok(linked)
}

/// The normal dependencies of a node; those that only build or test it have no part in a program.
fn normal(node: &Value) -> Option<Vec<String>> {
    let is_normal = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let dependencies = node.get("deps")?.as_array()?.iter().filter(is_normal);
    dependencies
        .map(|dependency| dependency["pkg"].as_str().map(str::to_owned))
        .collect()
}

fn read(package: &Value) -> Option<Linked> {
    let text = |field: &str| package[field].as_str().map(str::to_owned);
    Some(Linked {
        name: text("name")?,
        version: text("version")?,
        licence: text("license").unwrap_or_else(|| "see its texts".to_owned()),
        directory: Path::new(&text("manifest_path")?).parent()?.to_owned(),
    })
}

/// The files of a package that hold its licence, sorted: its own, and those of sources of others one directory below.
fn found(package: &Path) -> Result<Vec<PathBuf>, DistError> {
    let listed = |directory: &Path| -> Result<Vec<PathBuf>, DistError> {
        let failed = |error| DistError::File(directory.to_owned(), error);
        let entries = fs::read_dir(directory).map_err(failed)?;
        entries
            .map(|entry| Ok(entry.map_err(failed)?.path()))
            .collect()
    };
    let mut paths = listed(package)?;
    for directory in paths.clone() {
        if directory.is_dir() {
            paths.extend(listed(&directory)?);
        }
    }
    let mut files = Vec::new();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if path.is_file()
            && BEGINNINGS
                .iter()
                .any(|beginning| name.starts_with(beginning))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
