//! Debian's ODBC drivers for PostgreSQL, MariaDB and SQLite with the libraries that they stand on, unpacked below
//! `target`. Nothing is installed, and only workers of `lingqu-odbc` are told of them.

use super::ToolError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells tests where the drivers were unpacked; also read, so that others can be used.
pub(crate) const VARIABLE: &str = "LINGQU_ODBC_DRIVERS";

/// The drivers, and what they are linked with beyond what every Debian has.
const PACKAGES: [&str; 8] = [
    "libltdl7",
    "libmariadb3",
    "libodbcinst2",
    "libpq5",
    "libsqlite3-0",
    "libsqliteodbc",
    "odbc-mariadb",
    "odbc-postgresql",
];

/// What must be there in the end, below the directory of one architecture.
const DRIVERS: [&str; 3] = ["libmaodbc.so", "libsqlite3odbc.so", "psqlodbcw.so"];

const HINT: &str = "Debian's packages of ODBC drivers are needed; set LINGQU_ODBC_DRIVERS to a directory with \
                    `usr/lib/…/odbc/*.so` where they cannot be downloaded";

/// The directory. `named` is what the environment says it is.
pub(super) fn bring(named: Option<&OsStr>, directory: &Path) -> Result<PathBuf, ToolError> {
    let directory = named.map_or_else(|| directory.to_owned(), PathBuf::from);
    if is_complete(&directory) {
        return Ok(directory);
    }
    if named.is_none() {
        eprintln!("unpacking ODBC drivers into {}", directory.display());
        unpack(&directory)?;
        if is_complete(&directory) {
            return Ok(directory);
        }
    }
    Err(failed("looking for ODBC drivers", HINT))
}

fn is_complete(directory: &Path) -> bool {
    let Ok(architectures) = std::fs::read_dir(directory.join("usr/lib")) else {
        return false;
    };
    architectures.flatten().any(|architecture| {
        let odbc = architecture.path().join("odbc");
        DRIVERS.iter().all(|driver| odbc.join(driver).is_file())
    })
}

/// Downloads the packages, whose signatures the package manager checks, and unpacks them without installing.
fn unpack(directory: &Path) -> Result<(), ToolError> {
    let file_error = |source| ToolError::File {
        path: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(file_error)?;
    let download = || {
        run(Command::new("apt-get")
            .arg("download")
            .args(PACKAGES)
            .current_dir(directory))
    };
    if download().is_err() {
        // The lists of packages may be old or missing; whoever may not renew them is told by the second attempt.
        let _ = run(Command::new("apt-get").arg("update"));
        download()?;
    }
    for entry in std::fs::read_dir(directory).map_err(file_error)?.flatten() {
        let path = entry.path();
        if is_package(&path) {
            run(Command::new("dpkg-deb").arg("-x").arg(&path).arg(directory))?;
        }
    }
    Ok(())
}

fn is_package(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let known = |package: &&str| {
        name.strip_prefix(*package)
            .is_some_and(|rest| rest.starts_with('_'))
    };
    name.ends_with(".deb") && PACKAGES.iter().any(known)
}

fn run(command: &mut Command) -> Result<(), ToolError> {
    let line: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let line = line.join(" ");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(failed(&line, &format!("{}\n{HINT}", text.trim_end())))
        }
        Err(error) => Err(failed(&line, &format!("{error}\n{HINT}"))),
    }
}

fn failed(command: &str, output: &str) -> ToolError {
    ToolError::Failed {
        command: command.to_owned(),
        output: output.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_used_or_refused_and_never_replaced() {
        let directory = std::env::temp_dir().join("lingqu-xtask-no-odbc-drivers");
        let refused = bring(Some(OsStr::new("/nonexistent/odbc")), &directory);
        assert!(refused.unwrap_err().to_string().contains(VARIABLE));
        assert!(!directory.exists());
    }

    #[test]
    fn only_its_own_packages_are_unpacked() {
        assert!(is_package(Path::new("/t/odbc-mariadb_3.1.15-3_amd64.deb")));
        for other in [
            "odbc-mariadb-dev_1_amd64.deb",
            "odbc-mariadb_1.tar",
            "x.deb",
        ] {
            assert!(!is_package(Path::new(other)), "{other}");
        }
    }
}
