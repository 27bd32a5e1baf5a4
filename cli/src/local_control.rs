//! The node's local control, as the commands use it: one request, and what came of it.

use std::path::Path;

use lingqu_core::ErrorCode;
use lingqu_node::admin::{AdminRequest, AdminResponse, Status, ask};

use crate::failure::Failure;

/// Sends one request to the node at `socket`.
///
/// # Errors
/// [`Failure::Refused`] with the node's code, [`Failure::Unreachable`] when no node answers there.
pub(crate) async fn request(
    socket: &Path,
    request: &AdminRequest,
) -> Result<Option<Status>, Failure> {
    Ok(response(socket, request).await?.status)
}

/// The whole of what the node answers.
///
/// # Errors
/// As [`request`].
pub(crate) async fn response(
    socket: &Path,
    request: &AdminRequest,
) -> Result<AdminResponse, Failure> {
    let unreachable = |why: &dyn std::fmt::Display| {
        Failure::Unreachable(format!("`{}`: {why}", socket.display()))
    };
    let response = ask(socket, request)
        .await
        .map_err(|error| unreachable(&error))?;
    if response.ok {
        return Ok(response);
    }
    let code: Option<ErrorCode> = response.code.and_then(|code| code.parse().ok());
    match code {
        Some(code) => Err(Failure::refused(code)),
        None => Err(unreachable(&"the answer is none that a node gives")),
    }
}

/// How the node is.
///
/// # Errors
/// As [`request`].
pub(crate) async fn status(socket: &Path) -> Result<Status, Failure> {
    request(socket, &AdminRequest::Status)
        .await?
        .ok_or_else(|| Failure::Unreachable(format!("`{}`: no status", socket.display())))
}
