//! Worker processes as the serving process sees them: started with nothing but a job, killed with all that they
//! started.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::Source;
use crate::frame::{self, Frame, FrameError};
use crate::job::Job;

/// The one argument of a worker.
pub(crate) const WORKER_ARGUMENT: &str = "worker-of-lingqu-odbc";

/// A running worker. Dropping it kills it and everything in its process group, whatever a driver does with signals.
pub(crate) struct Worker {
    /// Not there any more once the drop hands it on.
    child: Option<Child>,
    group: Option<Pid>,
    output: ChildStdout,
    batch_bytes_max: u32,
    /// The place among the source's workers; free only when the kernel says that the process is gone.
    slot: Option<OwnedSemaphorePermit>,
}

impl Worker {
    /// Starts a worker on a job.
    ///
    /// # Errors
    /// No process can be started, or it is gone before it read its job.
    pub(crate) async fn start(
        source: &Arc<Source>,
        job: &Job,
        slot: OwnedSemaphorePermit,
    ) -> io::Result<Worker> {
        let text = zeroize::Zeroizing::new(serde_json::to_vec(job)?);
        // This very program, also after its file was replaced by an upgrade.
        let mut child = Command::new("/proc/self/exe")
            .arg(WORKER_ARGUMENT)
            .env_clear()
            .envs(&source.environment)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What a driver prints may hold rows.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let input = child.stdin.take().expect("the input is piped");
        let output = child.stdout.take().expect("the output is piped");
        let worker = Worker {
            child: Some(child),
            group,
            output,
            batch_bytes_max: source.limits.batch_bytes_max(),
            slot: Some(slot),
        };
        send(input, &text).await?;
        Ok(worker)
    }

    /// The next frame.
    ///
    /// # Errors
    /// The worker is gone, or sent garbage.
    pub(crate) async fn frame(&mut self) -> Result<Frame, FrameError> {
        frame::read(&mut self.output, self.batch_bytes_max).await
    }
}

/// Writes the job and closes the pipe, which tells the worker that this is all.
async fn send(mut input: tokio::process::ChildStdin, text: &[u8]) -> io::Result<()> {
    input.write_all(text).await?;
    input.shutdown().await
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The worker was not waited for, so its id, which is its group's, belongs to nobody else.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::Kill);
        }
        let (Some(mut child), Some(slot)) = (self.child.take(), self.slot.take()) else {
            return;
        };
        // Without a runtime the process is ending, and the kernel ends its workers (`worker::confine`).
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = child.wait().await;
                drop(slot);
            });
        }
    }
}
