//! The socket of a source: in a directory that others can neither enter nor write to, with the configured rights.

#[cfg(test)]
mod tests;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::Stream;
use tokio::net::UnixListener;

use super::connection::Connection;
use super::peer::Peers;
use crate::config::{Access, Server};

/// How long accepting pauses when the kernel has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketRefused {
    /// Others may put a socket of theirs there, or reach ours.
    #[error(
        "the directory `{0}` must be a real directory of this user or of root, which only the owner can write to \
         (with `access = \"group\"` its group may enter it)"
    )]
    Directory(PathBuf),
    /// Another process serves it.
    #[error("`{0}` is in use")]
    InUse(PathBuf),
    /// The system refuses.
    #[error("the socket `{path}` cannot be made: {source}")]
    System { path: PathBuf, source: io::Error },
}

/// A bound socket. Its file goes when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    file: File,
}

#[derive(Debug)]
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Binds `NAME.sock` in the configured directory.
    ///
    /// # Errors
    /// The directory is open to others, another process is there, or the system refuses.
    pub(super) fn bind(server: &Server, name: &str) -> Result<Socket, SocketRefused> {
        check_directory(&server.directory, server.access)?;
        let path = server.directory.join(format!("{name}.sock"));
        let system = |source| SocketRefused::System {
            path: path.clone(),
            source,
        };
        remove_stale(&path)?;
        let listener = UnixListener::bind(&path).map_err(system)?;
        let file = File(path.clone());
        // Until here the rights are those of the directory, which lets nobody else in or only the group.
        let mode = match server.access {
            Access::Group => 0o660,
            Access::Owner => 0o600,
        };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(system)?;
        Ok(Socket { listener, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.0
    }

    /// The connections that are let in.
    pub(super) fn incoming(self, peers: Peers) -> impl Stream<Item = io::Result<Connection>> {
        let state = (self, peers.door());
        futures::stream::unfold(state, async |(socket, door)| {
            loop {
                match socket.listener.accept().await {
                    Ok((stream, _)) => {
                        if let Some(connection) = door.admit(stream) {
                            return Some((Ok(connection), (socket, door)));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
    }
}

fn check_directory(path: &Path, access: Access) -> Result<(), SocketRefused> {
    let refused = || SocketRefused::Directory(path.to_owned());
    let metadata = fs::symlink_metadata(path).map_err(|_| refused())?;
    let forbidden = match access {
        Access::Group => 0o027,
        Access::Owner => 0o077,
    };
    let own = rustix::process::geteuid().as_raw();
    let fits = metadata.is_dir()
        && (metadata.uid() == own || metadata.uid() == 0)
        && metadata.mode() & forbidden == 0;
    fits.then_some(()).ok_or_else(refused)
}

/// Removes what an earlier process left; never a file that is no socket, never a socket that is served.
fn remove_stale(path: &Path) -> Result<(), SocketRefused> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) | Err(_) => return Err(SocketRefused::InUse(path.to_owned())),
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(SocketRefused::InUse(path.to_owned()));
    }
    fs::remove_file(path).map_err(|source| SocketRefused::System {
        path: path.to_owned(),
        source,
    })
}
