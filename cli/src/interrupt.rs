//! The end of a process that serves: SIGINT (ctrl-c) or SIGTERM, whichever comes first.

use lingqu_core::ErrorCode;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Listens for both from now on; what it gives completes with the first. Needs a runtime.
pub(crate) fn interrupted() -> Result<impl Future<Output = ()> + Send, Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::local(ErrorCode::SystemRefused, error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
