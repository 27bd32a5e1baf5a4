//! The directory that becomes the archive: what goes where, with modes that do not depend on anybody's umask.

use super::{DistError, PROGRAMS};
use crate::workspace;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is copied: from the workspace, to the archive. Directories are copied whole.
const COPIED: &[(&str, &str)] = &[
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("ARCHITECTURE.md", "ARCHITECTURE.md"),
    ("GLOSSARY.md", "GLOSSARY.md"),
    ("LICENSE", "LICENSE"),
    ("README.md", "README.md"),
    ("README.zh-CN.md", "README.zh-CN.md"),
    ("SECURITY.md", "SECURITY.md"),
    ("cli/samples", "samples"),
    ("deploy/coordinator.toml", "etc/coordinator.toml"),
    ("deploy/node.toml", "etc/node.toml"),
    (
        "deploy/lingqu-coordinator.service",
        "systemd/lingqu-coordinator.service",
    ),
    ("deploy/lingqu-node.service", "systemd/lingqu-node.service"),
    ("deploy/lingqu-odbc.service", "systemd/lingqu-odbc.service"),
    ("deploy/odbc", "etc/odbc"),
    ("docs", "docs"),
    ("proto/lingqu", "proto/lingqu"),
];

const FILE_MODE: u32 = 0o644;
const PROGRAM_MODE: u32 = 0o755;

/// A directory `parent/name`, of which `name` is the archive's only top-level entry.
#[derive(Debug)]
pub(super) struct Staging {
    parent: PathBuf,
    name: String,
}

impl Staging {
    /// An empty one; what an interrupted run left goes.
    pub(super) fn fresh(parent: &Path, name: &str) -> Result<Staging, DistError> {
        // Of its own, so that two runs at a time do not mix.
        let parent = parent.join(std::process::id().to_string());
        let failed = |error| DistError::File(parent.clone(), error);
        if parent.exists() {
            fs::remove_dir_all(&parent).map_err(failed)?;
        }
        fs::create_dir_all(parent.join(name)).map_err(failed)?;
        mode(&parent.join(name), PROGRAM_MODE)?;
        Ok(Staging {
            parent,
            name: name.to_owned(),
        })
    }

    pub(super) fn parent(&self) -> &Path {
        &self.parent
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn root(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Copies the programs out of the directory where they were built, and everything of the workspace that belongs into
    /// the archive.
    pub(super) fn fill(&self, built: &Path) -> Result<(), DistError> {
        for program in PROGRAMS {
            let place = format!("bin/{}", program.name);
            self.copy(&built.join(program.name), &place, PROGRAM_MODE)?;
        }
        for (from, to) in COPIED {
            self.copy(&workspace::root().join(from), to, FILE_MODE)?;
        }
        Ok(())
    }

    fn copy(&self, from: &Path, to: &str, wanted: u32) -> Result<(), DistError> {
        if !from.is_dir() {
            let failed = |error| DistError::File(from.to_owned(), error);
            let place = self.place(to)?;
            fs::copy(from, &place).map_err(failed)?;
            return mode(&place, wanted);
        }
        let entries =
            fs::read_dir(from).map_err(|error| DistError::File(from.to_owned(), error))?;
        for entry in entries {
            let entry = entry.map_err(|error| DistError::File(from.to_owned(), error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            self.copy(&entry.path(), &format!("{to}/{name}"), wanted)?;
        }
        Ok(())
    }

    /// Writes a file.
    pub(super) fn write(&self, to: &str, bytes: &[u8]) -> Result<(), DistError> {
        let place = self.place(to)?;
        fs::write(&place, bytes).map_err(|error| DistError::File(place.clone(), error))?;
        mode(&place, FILE_MODE)
    }

    /// The path of a file, whose directories are made.
    fn place(&self, to: &str) -> Result<PathBuf, DistError> {
        let mut place = self.root();
        let mut parts: Vec<&str> = to.split('/').collect();
        let file = parts.pop().unwrap_or(to);
        for part in parts {
            place.push(part);
            if !place.is_dir() {
                fs::create_dir(&place).map_err(|error| DistError::File(place.clone(), error))?;
                mode(&place, PROGRAM_MODE)?;
            }
        }
        Ok(place.join(file))
    }

    /// Every file so far, relative to the root, sorted.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, DistError> {
        let root = self.root();
        let mut found = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(directory) = open.pop() {
            let failed = |error| DistError::File(directory.clone(), error);
            for entry in fs::read_dir(&directory).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(inside) = path.strip_prefix(&root) {
                    found.push(inside.to_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes the directory.
    pub(super) fn remove(&self) -> Result<(), DistError> {
        fs::remove_dir_all(&self.parent)
            .map_err(|error| DistError::File(self.parent.clone(), error))
    }
}

fn mode(path: &Path, mode: u32) -> Result<(), DistError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| DistError::File(path.to_owned(), error))
}
