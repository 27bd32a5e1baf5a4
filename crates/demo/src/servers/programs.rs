//! Where programs are, and how they are run: with the shared libraries beside them, and never as root.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{ServerFailed, doing};

/// `nobody`, the account that owns nothing, on every Linux.
const NOBODY: u32 = 65_534;

/// A directory of programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    directory: PathBuf,
    /// Of a package that was unpacked somewhere.
    libraries: Vec<PathBuf>,
}

impl Programs {
    /// The first of these directories that has the program.
    pub(super) fn find(places: Vec<PathBuf>, program: &str) -> Option<Programs> {
        let directory = places
            .into_iter()
            .find(|directory| directory.join(program).is_file())?;
        // Behind links, for a server looks for its other files from where it really lies.
        let program = directory.join(program).canonicalize().ok()?;
        let directory = program.parent()?.to_owned();
        let libraries = directory
            .ancestors()
            .skip(1)
            .take_while(|above| above.parent().is_some())
            .map(|above| above.join("usr/lib"))
            .filter(|libraries| libraries.is_dir())
            .flat_map(|libraries| std::fs::read_dir(libraries).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
            .collect();
        Some(Programs {
            directory,
            libraries,
        })
    }

    /// Where they lie.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// One of them, to be run with nothing of this process's environment that could change what it does.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .current_dir("/");
        if let Ok(joined) = std::env::join_paths(&self.libraries)
            && !joined.is_empty()
        {
            command.env("LD_LIBRARY_PATH", joined);
        }
        command
    }
}

/// Whether this process is root, whom PostgreSQL refuses to serve.
pub(super) fn is_root() -> Result<bool, ServerFailed> {
    use std::os::unix::fs::MetadataExt as _;
    let own = std::fs::metadata("/proc/self").map_err(doing("looking at /proc/self"))?;
    Ok(own.uid() == 0)
}

/// Has the command run as nobody.
pub(super) fn as_nobody(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY);
}

/// Gives a file or directory to nobody.
pub(super) fn give_to_nobody(path: &Path) -> Result<(), ServerFailed> {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
        .map_err(doing(format!("giving {} away", path.display())))
}

/// Runs a command to its end.
pub(super) fn run(command: &mut Command) -> Result<(), ServerFailed> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(doing(format!("running {program}")))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(ServerFailed::Program {
        program,
        output: text.trim_end().to_owned(),
    })
}
