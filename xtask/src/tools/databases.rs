//! Database servers for the connectors' tests: those that the machine has, or Debian's packages unpacked below
//! `target` with the libraries that the machine lacks. Nothing is installed.

use super::ToolError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server and where it comes from.
pub(super) struct Database {
    /// Program that must be in its directory.
    program: &'static str,
    /// Debian's package, and the variable that names a directory instead.
    package: fn() -> Result<String, ToolError>,
    variable: &'static str,
    /// Where programs lie, on a machine that has it.
    usual: fn() -> Vec<PathBuf>,
}

/// PostgreSQL.
pub(super) const POSTGRES: Database = Database {
    program: "postgres",
    package: postgres_package,
    variable: super::POSTGRES_VARIABLE,
    usual: || {
        let mut places = path();
        places.extend(versions(Path::new("/usr/lib/postgresql")));
        places
    },
};

/// MariaDB.
pub(super) const MARIADB: Database = Database {
    program: "mariadbd",
    package: || Ok("mariadb-server-core".to_owned()),
    variable: super::MARIADB_VARIABLE,
    usual: || {
        let mut places = path();
        places.extend(["/usr/sbin", "/usr/libexec", "/usr/local/sbin"].map(PathBuf::from));
        places
    },
};

/// The directory of the server's programs; `below` is where packages may be unpacked.
pub(super) fn bring(database: &Database, below: &Path) -> Result<PathBuf, ToolError> {
    let named = std::env::var_os(database.variable).map(PathBuf::from);
    let unpacked = || {
        let mut places = vec![below.join("usr/sbin")];
        places.extend(versions(&below.join("usr/lib/postgresql")));
        places
    };
    let known = match &named {
        Some(named) => vec![named.clone()],
        None => (database.usual)().into_iter().chain(unpacked()).collect(),
    };
    if let Some(found) = with_program(known, database.program) {
        return Ok(found);
    }
    if named.is_none() {
        eprintln!("unpacking {} into {}", database.program, below.display());
        unpack(&(database.package)()?, below)?;
        if let Some(found) = with_program(unpacked(), database.program) {
            return Ok(found);
        }
    }
    Err(failed(
        database.program,
        &format!(
            "it is not there; install it, or set {} to the directory of its programs",
            database.variable
        ),
    ))
}

fn with_program(places: Vec<PathBuf>, program: &str) -> Option<PathBuf> {
    let found = { places.into_iter() }.find(|place| place.join(program).is_file())?;
    // Programs of one server lie together behind the links that a distribution puts into the path.
    let program = found.join(program).canonicalize().ok()?;
    program.parent().map(Path::to_owned)
}

fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// `VERSION/bin` below a directory, newest first.
fn versions(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// The version that Debian's `postgresql` stands for.
fn postgres_package() -> Result<String, ToolError> {
    let depends = output(Command::new("apt-cache").args(["depends", "postgresql"]))?;
    let named = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("postgresql-") && is_package_name(name));
    named
        .map(str::to_owned)
        .ok_or_else(|| failed("apt-cache depends postgresql", "it names no version"))
}

/// Downloads the package and what it needs that the machine lacks, and unpacks all of them without installing. The
/// package manager checks the signatures.
fn unpack(package: &str, below: &Path) -> Result<(), ToolError> {
    std::fs::create_dir_all(below).map_err(|source| ToolError::File {
        path: below.to_owned(),
        source,
    })?;
    let wanted = || {
        let simulated = output(Command::new("apt-get").args([
            "--simulate",
            "--no-install-recommends",
            "install",
            package,
        ]))?;
        Ok::<_, ToolError>(to_install(&simulated))
    };
    let download = |packages: &[String]| {
        output(
            Command::new("apt-get")
                .arg("download")
                .args(packages)
                .current_dir(below),
        )
    };
    if wanted().and_then(|packages| download(&packages)).is_err() {
        // The lists of packages may be old or missing; whoever may not renew them is told by the second attempt.
        let _ = output(Command::new("apt-get").arg("update"));
        download(&wanted()?)?;
    }
    let entries = std::fs::read_dir(below).into_iter().flatten().flatten();
    for package in entries.map(|entry| entry.path()) {
        if package.extension() == Some(OsStr::new("deb")) {
            output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(below))?;
        }
    }
    Ok(())
}

/// Names of the packages that a simulated installation would bring (`Inst NAME …`).
fn to_install(simulated: &str) -> Vec<String> {
    { simulated.lines() }
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next())
        .filter(|name| is_package_name(name))
        .map(str::to_owned)
        .collect()
}

/// As Debian's policy has it; nothing that could be an option.
fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.:".contains(&byte)
        })
}

fn output(command: &mut Command) -> Result<String, ToolError> {
    let line: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let line = line.join(" ");
    match command.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(failed(
            &line,
            String::from_utf8_lossy(&output.stderr).trim_end(),
        )),
        Err(error) => Err(failed(&line, &error.to_string())),
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
    fn only_names_of_packages_are_taken_from_what_the_package_manager_says() {
        let simulated = "Reading package lists...\nInst mysql-common (5.8 Debian:12 [all])\n\
             Inst libstdc++6:amd64 [1] (2)\nConf mysql-common (5.8)\nInst --allow-downgrades x\nInst ../x y\n";
        assert_eq!(to_install(simulated), ["mysql-common", "libstdc++6:amd64"]);
    }

    #[test]
    fn a_server_is_found_behind_links_and_the_newest_version_first() {
        let dir = std::env::temp_dir().join(format!("lingqu-xtask-db-{}", std::process::id()));
        for version in ["9", "15", "x"] {
            std::fs::create_dir_all(dir.join(version).join("bin")).unwrap();
            std::fs::write(dir.join(version).join("bin/postgres"), "").unwrap();
        }
        let links = dir.join("links");
        std::fs::create_dir_all(&links).unwrap();
        std::os::unix::fs::symlink(dir.join("9/bin/postgres"), links.join("postgres")).unwrap();
        let real = dir.canonicalize().unwrap();
        assert_eq!(
            with_program(versions(&dir), "postgres"),
            Some(real.join("15/bin"))
        );
        assert_eq!(
            with_program(vec![links], "postgres"),
            Some(real.join("9/bin"))
        );
        assert_eq!(with_program(versions(&dir), "mariadbd"), None);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
