//! A connection that ends by itself when nobody uses it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::Connected;

/// A connection and its place among those that may be open.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    activity: Activity,
    idle_time_max: Duration,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

/// Requests that run on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<AtomicUsize>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Running(Activity);

impl Activity {
    pub(super) fn begin(&self) -> Running {
        self.0.fetch_add(1, Relaxed);
        Running(self.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Connection {
    pub(super) fn new(
        stream: UnixStream,
        place: OwnedSemaphorePermit,
        idle_time_max: Duration,
    ) -> Connection {
        Connection {
            stream,
            activity: Activity::default(),
            idle_time_max,
            idle: Box::pin(sleep(idle_time_max)),
            _place: place,
        }
    }

    #[cfg(test)]
    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    fn used(&mut self) {
        let end = Instant::now() + self.idle_time_max;
        self.idle.as_mut().reset(end);
    }

    /// Ready with an error once nothing ran and no byte came for the whole time.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.idle.as_mut().poll(context));
            if self.activity.0.load(Relaxed) == 0 {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.used();
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Activity;

    fn connect_info(&self) -> Activity {
        self.activity.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(result) => {
                self.used();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.used();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
