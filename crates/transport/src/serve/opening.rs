//! The first bytes after the handshake: which version of HTTP they begin, read under a deadline of the accept loop.
//!
//! hyper waits for the preface of HTTP/2 for as long as the peer likes, and so for the bytes by which it would tell the
//! versions apart. What is read here is handed on with the stream, so that hyper reads it again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::{ALPN_H2, ALPN_HTTP1};

/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What has been read of a connection's first bytes.
#[derive(Debug, Default)]
pub(super) struct Read {
    bytes: [u8; PREFACE.len()],
    filled: usize,
}

impl Read {
    fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// The version that the peer begins, and what had to be read to know it. HTTP/1.1 that was agreed on needs nothing: its
/// header has a deadline of its own.
///
/// # Errors
/// The connection ended, or it begins something else than what was agreed on.
pub(super) async fn opened(stream: &mut TlsStream<TcpStream>) -> io::Result<(Version, Read)> {
    let agreed = match stream.get_ref().1.alpn_protocol() {
        Some(ALPN_HTTP1) => return Ok((Version::Http1, Read::default())),
        Some(ALPN_H2) => Some(Version::Http2),
        Some(_) | None => None,
    };
    let (begun, read) = begun(stream).await?;
    if agreed.is_some_and(|agreed| agreed != begun) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((begun, read))
}

/// Reads until it is a whole preface or cannot become one.
async fn begun(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Version, Read)> {
    let mut read = Read::default();
    while read.filled < PREFACE.len() {
        let room = read.bytes.get_mut(read.filled..).unwrap_or_default();
        let count = stream.read(room).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.filled += count;
        if !PREFACE.starts_with(read.filled()) {
            return Ok((Version::Http1, read));
        }
    }
    Ok((Version::Http2, read))
}

/// A stream of which something was read already; it is read from here again, first.
#[derive(Debug)]
pub(super) struct Opened<S> {
    stream: S,
    read: Read,
    /// How much of `read` was given out.
    given: usize,
}

impl<S> Opened<S> {
    pub(super) fn new(stream: S, read: Read) -> Self {
        Opened {
            stream,
            read,
            given: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.read.filled().get(self.given..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let count = left.len().min(into.remaining());
        into.put_slice(left.get(..count).unwrap_or_default());
        self.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
