//! What a worker gives up before it loads a driver.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

/// Where the answers go.
pub(super) type Pipe = File;

/// Takes the pipe to the parent away from standard output, where a driver that prints would write into it.
///
/// # Errors
/// There is no such pipe, or no `/dev/null`.
pub(super) fn take_output() -> io::Result<Pipe> {
    let pipe = io::stdout().as_fd().try_clone_to_owned()?;
    let nowhere = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    Ok(Pipe::from(pipe))
}

/// Bounds this process for the rest of its life: it dies with its parent, leaves no core with rows in it, cannot be
/// looked into by others of its user, and has so much memory.
///
/// # Errors
/// The kernel refuses, or the parent is gone.
pub(super) fn bound(memory_bytes_max: u64, parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::Kill))?;
    // A parent that ended before that line sends no signal; its children belong to others then.
    if std::os::unix::process::parent_id() != parent {
        return Err(io::ErrorKind::NotFound.into());
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::Core, 0)?;
    limit(Resource::As, memory_bytes_max)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}
