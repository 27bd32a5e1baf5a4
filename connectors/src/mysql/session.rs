//! Connections: bounded in number, read only, and stopped at the server when nobody wants their work any more.
//!
//! A session that is dropped may have a query under way, so a second connection kills it. Only [`Session::give_back`],
//! after a statement that ended well, keeps the connection for the next reading.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_connector_sdk::SourceError;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::dialect::Server;
use super::error::general;
use super::settings::Settings;
use crate::server::settings::{TlsMode, is_socket};

/// How long killing a query may take; the connection is closed afterwards in any case.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest packet, and so longest value, in bytes.
const PACKET_MAX: usize = 64 << 20;
/// How long the server keeps an idle connection, in seconds.
const IDLE_S: usize = 28_800;

/// The connections of one source.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    base: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Link>>,
}

/// One connection.
struct Link {
    conn: Conn,
    server: Server,
    version: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Link({:?} {})", self.server, self.version)
    }
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Session {
    pool: Arc<Pool>,
    /// Gone only while the session is dropped or given back.
    link: Option<Link>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(settings: Settings, base: PathBuf) -> Pool {
        Pool {
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            idle: Mutex::new(Vec::new()),
            settings,
            base,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether connections are encrypted and the server's name is checked.
    pub(super) fn is_verified(&self) -> bool {
        self.settings.tls == TlsMode::Verify
    }

    /// A connection that answers: one that was given back, or a new one.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Session, SourceError> {
        let patience = self.settings.connect_timeout();
        let acquired = timeout(patience, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = acquired
            .map_err(|_| SourceError::TimedOut)?
            .map_err(|_| SourceError::Unreachable)?;
        loop {
            let Some(mut link) = self.idle().pop() else {
                break;
            };
            // The server may have been restarted since; asking costs one round trip.
            let answers = timeout(patience, link.conn.ping()).await;
            if matches!(answers, Ok(Ok(()))) {
                return Ok(self.session(link, permit));
            }
        }
        let link = timeout(patience, self.connect())
            .await
            .map_err(|_| SourceError::Unreachable)??;
        Ok(self.session(link, permit))
    }

    fn session(self: &Arc<Self>, link: Link, permit: OwnedSemaphorePermit) -> Session {
        Session {
            pool: Arc::clone(self),
            link: Some(link),
            _permit: permit,
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        // Links are whole whenever the lock is free.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Link, SourceError> {
        let mut conn = Conn::new(self.opts()?)
            .await
            .map_err(|error| general(&error))?;
        let version: Option<String> =
            { conn.query_first("SELECT VERSION()").await }.map_err(|error| general(&error))?;
        let version = version.unwrap_or_default();
        let server = Server::of(self.settings.dialect, &version);
        for statement in server.preamble(&self.settings) {
            conn.query_drop(statement)
                .await
                .map_err(|error| general(&error))?;
        }
        Ok(Link {
            conn,
            server,
            version,
        })
    }

    /// A connection without the precautions of a session, for the one who tries whether the account could write.
    pub(super) async fn unguarded(&self) -> Result<Conn, SourceError> {
        let dialled = timeout(self.settings.connect_timeout(), Conn::new(self.opts()?)).await;
        dialled
            .map_err(|_| SourceError::Unreachable)?
            .map_err(|error| general(&error))
    }

    /// How to connect. The password is read now, so that an exchanged file counts from the next connection on.
    fn opts(&self) -> Result<Opts, SourceError> {
        let settings = &self.settings;
        let password = match &settings.password {
            Some(source) => Some(source.read(&self.base)?),
            None => None,
        };
        let tls = (settings.tls == TlsMode::Verify).then(|| {
            let ca = { settings.ca.iter() }
                .map(|ca| self.base.join(ca).into())
                .collect();
            SslOpts::default()
                .with_root_certs(ca)
                .with_disable_built_in_roots(true)
        });
        let opts = OptsBuilder::default()
            .user(Some(&settings.user))
            .pass(password.as_ref().map(|password| password.expose()))
            .db_name(Some(&settings.database))
            .ssl_opts(tls)
            // Set, so that the driver does not ask the server for its own values, which may be anything.
            .max_allowed_packet(Some(PACKET_MAX))
            .wait_timeout(Some(IDLE_S))
            // Or the driver would leave TCP for whatever socket path the server names.
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(60)))
            .stmt_cache_size(0);
        let opts = if is_socket(&settings.host) {
            opts.socket(Some(&settings.host))
        } else {
            opts.ip_or_hostname(&settings.host).tcp_port(settings.port)
        };
        Ok(opts.into())
    }
}

impl Session {
    /// The connection, for statements.
    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.link_mut().conn
    }

    /// What the server is.
    pub(super) fn server(&self) -> Server {
        self.link().server
    }

    /// Its version as it states it.
    pub(super) fn version(&self) -> &str {
        &self.link().version
    }

    /// Rows of a query of our own.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, SourceError> {
        self.conn()
            .query(sql)
            .await
            .map_err(|error| general(&error))
    }

    /// Keeps the connection for the next reading. Nothing may be under way on it.
    pub(super) fn give_back(mut self) {
        if let Some(link) = self.link.take() {
            self.pool.idle().push(link);
        }
    }

    /// Closes the connection, on which nothing is under way, instead of keeping it.
    pub(super) async fn close(mut self) {
        if let Some(link) = self.link.take() {
            // The server sees the end of the connection in any case.
            let _ = timeout(KILL_TIMEOUT, link.conn.disconnect()).await;
        }
    }

    fn link(&self) -> &Link {
        self.link
            .as_ref()
            .expect("a session has its connection until it is given back or dropped")
    }

    fn link_mut(&mut self) -> &mut Link {
        self.link
            .as_mut()
            .expect("a session has its connection until it is given back or dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let pool = Arc::clone(&self.pool);
        runtime.spawn(async move {
            let kill = async {
                let mut second = Conn::new(pool.opts().ok()?).await.ok()?;
                let statement = format!("KILL QUERY {}", link.conn.id());
                second.query_drop(statement).await.ok()?;
                second.disconnect().await.ok()
            };
            // Whether it arrives or not, the connection closes, which ends the query at its next row.
            let _ = timeout(KILL_TIMEOUT, kill).await;
            drop(link);
        });
    }
}
