//! Another program that answers Flight SQL, over the same engine and written without a line of the connector.

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetTables, CommandStatementQuery, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt as _, stream};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

/// How the other side behaves.
#[derive(Clone, Default)]
pub(crate) struct Upstream {
    pub(crate) authorization: Option<&'static str>,
    pub(crate) other_columns: bool,
    pub(crate) endless: bool,
    /// Tables besides the usual ones.
    pub(crate) tables: Vec<(&'static str, RecordBatch)>,
}

/// The other side at work, until it is dropped.
pub(crate) struct Served {
    base: TempDir,
    service: Service,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap().iter() {
            task.abort();
        }
    }
}

impl Served {
    pub(crate) async fn start(upstream: Upstream) -> Served {
        let base = tempfile::tempdir().unwrap();
        let service = Service {
            context: context(&upstream),
            upstream,
            statements: Arc::default(),
            running: Arc::default(),
        };
        let listener = UnixListener::bind(base.path().join("upstream.sock")).unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(FlightServiceServer::new(service.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.unwrap() });
        Served {
            base,
            service,
            tasks: Mutex::new(vec![task]),
        }
    }

    pub(crate) fn base(&self) -> &Path {
        self.base.path()
    }

    pub(crate) fn last_statement(&self) -> String {
        self.service
            .statements
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap()
    }

    pub(crate) async fn until_nothing_runs(&self) {
        while self.service.running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// The same behind mutual TLS; its port. Writes the certificates that a client needs beside the socket.
    pub(crate) async fn tls(&self) -> u16 {
        let config = certificates(self.base());
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = self.base().join("upstream.sock");
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, socket) = (acceptor.clone(), socket.clone());
                tokio::spawn(async move {
                    if let Ok(mut outside) = acceptor.accept(tcp).await {
                        let mut inside = UnixStream::connect(socket).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
            }
        });
        self.tasks.lock().unwrap().push(task);
        port
    }
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

fn certificates(base: &Path) -> rustls::ServerConfig {
    let (other, other_key) = authority("another authority");
    let other = other.self_signed(&other_key).unwrap();
    std::fs::write(base.join("other.pem"), other.pem()).unwrap();
    let (params, key) = authority("the authority");
    let ca = params.self_signed(&key).unwrap();
    std::fs::write(base.join("ca.pem"), ca.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let leaf = |name: &str| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (client, client_key) = leaf("a client");
    std::fs::write(base.join("client.pem"), client.pem()).unwrap();
    super::private(&base.join("client.key"), &client_key.serialize_pem());
    let (server, server_key) = leaf("a server");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::clone(&provider),
    );
    let key = PrivateKeyDer::from_pem_slice(server_key.serialize_pem().as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

fn context(upstream: &Upstream) -> SessionContext {
    let context = SessionContext::new();
    for (name, batch) in &upstream.tables {
        context.register_batch(*name, batch.clone()).unwrap();
    }
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("灵渠"), Some(""), None]));
    let people = RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap();
    context.register_batch("people", people).unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100_000)]));
    let wide = RecordBatch::try_from_iter([("text", text)]).unwrap();
    context.register_batch("wide", wide).unwrap();
    context
}

#[derive(Clone)]
struct Service {
    upstream: Upstream,
    context: SessionContext,
    statements: Arc<Mutex<Vec<String>>>,
    running: Arc<AtomicUsize>,
}

type DoGet = <Service as FlightService>::DoGetStream;

/// Counts an answer for as long as it is being sent.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Service {
    fn admitted<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let found = request.metadata().get("authorization");
        let found = found.and_then(|value| value.to_str().ok());
        if self.upstream.authorization.is_none() || found == self.upstream.authorization {
            Ok(())
        } else {
            Err(Status::unauthenticated("who are you, 110101199003070000?"))
        }
    }

    fn info(command: Vec<u8>) -> Response<FlightInfo> {
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(command));
        Response::new(FlightInfo::new().with_endpoint(endpoint))
    }

    fn answer(
        &self,
        batches: Pin<Box<dyn Stream<Item = Result<RecordBatch, FlightError>> + Send>>,
    ) -> Response<DoGet> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.running));
        let data = FlightDataEncoderBuilder::new()
            .with_max_flight_data_size(usize::MAX)
            .build(batches)
            .map(move |item| {
                let _ = &running;
                item.map_err(Status::from)
            });
        Response::new(Box::pin(data))
    }
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Service;

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.admitted(&request)?;
        let ticket = TicketStatementQuery {
            statement_handle: query.query.into_bytes().into(),
        };
        Ok(Service::info(ticket.as_any().encode_to_vec()))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<DoGet>, Status> {
        self.admitted(&request)?;
        let sql = String::from_utf8(ticket.statement_handle.to_vec()).map_err(internal)?;
        self.statements.lock().unwrap().push(sql.clone());
        let frame = self.context.sql(&sql).await.map_err(internal)?;
        let mut batches = frame.collect().await.map_err(internal)?;
        if self.upstream.other_columns {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["not a number"]));
            batches = vec![RecordBatch::try_from_iter([("id", text)]).unwrap()];
        }
        let items = batches.into_iter().map(Ok);
        Ok(if self.upstream.endless {
            let again: Vec<_> = items.collect::<Result<Vec<_>, FlightError>>().unwrap();
            self.answer(
                stream::iter(again.into_iter().map(Ok).collect::<Vec<_>>())
                    .chain(stream::pending())
                    .boxed(),
            )
        } else {
            self.answer(stream::iter(items.collect::<Vec<_>>()).boxed())
        })
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.admitted(&request)?;
        Ok(Service::info(query.as_any().encode_to_vec()))
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<DoGet>, Status> {
        self.admitted(&request)?;
        let mut builder = query.into_builder();
        let others = self.upstream.tables.iter().map(|(name, _)| *name);
        for name in others.chain(["people", "wide"]) {
            let table = self.context.table(name).await.map_err(internal)?;
            let schema = table.schema().as_arrow().clone();
            builder
                .append("datafusion", "public", name, "TABLE", &schema)
                .map_err(internal)?;
        }
        let batch = builder.build().map_err(internal)?;
        Ok(self.answer(stream::iter([Ok(batch)]).boxed()))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.admitted(&request)?;
        Ok(Service::info(query.as_any().encode_to_vec()))
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<DoGet>, Status> {
        self.admitted(&request)?;
        let mut builder = SqlInfoDataBuilder::new();
        builder.append(SqlInfo::FlightSqlServerName, "a test");
        builder.append(SqlInfo::FlightSqlServerVersion, "1.0");
        builder.append(SqlInfo::FlightSqlServerReadOnly, true);
        let data: SqlInfoData = builder.build().map_err(internal)?;
        let batch = query.into_builder(&data).build().map_err(internal)?;
        Ok(self.answer(stream::iter([Ok(batch)]).boxed()))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
