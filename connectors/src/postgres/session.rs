//! Connections: bounded in number, read only, and stopped at the server when nobody wants their work any more.
//!
//! A session that is dropped may have a query under way, so it sends a cancel request and closes. Only
//! [`Session::give_back`], after a statement that ended well, keeps the connection for the next reading.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_connector_sdk::{SettingsRefused, SourceError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CancelToken, Client, Config, Connection, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::general;
use super::settings::{RowSecurity, Settings};
use super::tls;

/// How long a cancel request may take; the connection is closed afterwards in any case.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of one source.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    base: PathBuf,
    tls: Option<Tls>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Link>>,
}

/// How to encrypt; says nothing of keys.
#[derive(Clone)]
struct Tls(MakeRustlsConnect);

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls(…)")
    }
}

/// One connection.
struct Link {
    client: Client,
    cancel: CancelToken,
    driver: Driver,
    server: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Link({})", self.server)
    }
}

/// The task that moves the connection's bytes; the socket closes with it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
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
    pub(super) fn new(settings: Settings, base: PathBuf) -> Result<Pool, SettingsRefused> {
        Ok(Pool {
            tls: tls::connector(&settings, &base)?.map(Tls),
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            idle: Mutex::new(Vec::new()),
            settings,
            base,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether connections are encrypted and the server's name is checked.
    pub(super) fn is_verified(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection that answers: one that was given back, or a new one.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Session, SourceError> {
        let patience = self.settings.connect_timeout();
        let acquired = timeout(patience, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = acquired
            .map_err(|_| SourceError::TimedOut)?
            .map_err(|_| SourceError::Unreachable)?;
        loop {
            let Some(link) = self.idle().pop() else { break };
            // The server may have been restarted since; asking costs one round trip.
            let answers = timeout(patience, link.client.check_connection()).await;
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
        let link = self.dial().await?;
        link.client
            .batch_execute(&preamble(&self.settings))
            .await
            .map_err(|error| general(&error))?;
        Ok(link)
    }

    /// A connection without the precautions of a session, for the one who tries whether the account could write.
    pub(super) async fn unguarded(&self) -> Result<Unguarded, SourceError> {
        let dialled = timeout(self.settings.connect_timeout(), self.dial()).await;
        Ok(Unguarded(dialled.map_err(|_| SourceError::Unreachable)??))
    }

    async fn dial(&self) -> Result<Link, SourceError> {
        let settings = &self.settings;
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .dbname(&settings.database)
            .user(&settings.user)
            .application_name("lingqu")
            .connect_timeout(settings.connect_timeout())
            .keepalives_idle(Duration::from_secs(60));
        if let Some(password) = &settings.password {
            // Read now, so that an exchanged file counts from the next connection on.
            config.password(password.read(&self.base)?.expose());
        }
        Ok(match &self.tls {
            Some(Tls(tls)) => {
                config.ssl_mode(SslMode::Require);
                let connected = config.connect(tls.clone()).await;
                let (client, connection) = connected.map_err(|error| general(&error))?;
                drive(client, connection)
            }
            None => {
                config.ssl_mode(SslMode::Disable);
                let connected = config.connect(NoTls).await;
                let (client, connection) = connected.map_err(|error| general(&error))?;
                drive(client, connection)
            }
        })
    }
}

/// A connection that is used once and closed.
pub(super) struct Unguarded(Link);

impl std::ops::Deref for Unguarded {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0.client
    }
}

fn drive<Socket, Stream>(client: Client, mut connection: Connection<Socket, Stream>) -> Link
where
    Connection<Socket, Stream>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    Socket: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let server = connection
        .parameter("server_version")
        .unwrap_or("unknown")
        .to_owned();
    let cancel = client.cancel_token();
    // What ends a connection is told to whoever waits for an answer on it. Notices may quote data; nobody reads them.
    let driver = tokio::spawn(async move {
        while let Some(Ok(_)) =
            std::future::poll_fn(|context| connection.poll_message(context)).await
        {}
    });
    Link {
        client,
        cancel,
        driver: Driver(driver),
        server,
    }
}

/// What every session is set to before anything else. The account's privileges are what protects the data; this only
/// makes mistakes of our own harmless, and gives unchanged rows in the same order every time.
fn preamble(settings: &Settings) -> String {
    let row_security = match settings.row_security {
        // Off means that a filtered table is an error instead of fewer rows.
        RowSecurity::Refuse => "off",
        RowSecurity::Apply => "on",
    };
    format!(
        "SET default_transaction_read_only = on; \
         SET search_path = pg_catalog; \
         SET standard_conforming_strings = on; \
         SET TimeZone = 'UTC'; \
         SET synchronize_seqscans = off; \
         SET max_parallel_workers_per_gather = 0; \
         SET row_security = {row_security}; \
         SET statement_timeout = '{}s'; \
         SET lock_timeout = '{}s'; \
         SET idle_in_transaction_session_timeout = '{}s'",
        settings.statement_timeout_s, settings.lock_timeout_s, settings.statement_timeout_s
    )
}

impl Session {
    /// The client, for statements.
    pub(super) fn client(&self) -> &Client {
        &self.link().client
    }

    /// The server's version as it states it.
    pub(super) fn server(&self) -> &str {
        &self.link().server
    }

    /// Rows of a query of our own, in one round trip.
    pub(super) async fn query(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, SourceError> {
        let rows = self.client().query_typed(sql, params).await;
        rows.map_err(|error| general(&error))
    }

    /// Keeps the connection for the next reading. Nothing may be under way on it.
    pub(super) fn give_back(mut self) {
        if let Some(link) = self.link.take() {
            self.pool.idle().push(link);
        }
    }

    fn link(&self) -> &Link {
        self.link
            .as_ref()
            .expect("a session has its connection until it is given back or dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let tls = self.pool.tls.clone();
        runtime.spawn(async move {
            let Link { cancel, driver, .. } = link;
            let request = async {
                match tls {
                    Some(Tls(tls)) => cancel.cancel_query(tls).await,
                    None => cancel.cancel_query(NoTls).await,
                }
            };
            // Whether it arrives or not, the connection closes, which ends the query at its next row.
            let _ = timeout(CANCEL_TIMEOUT, request).await;
            drop(driver);
        });
    }
}
