//! A receiver of traces in this process, over the official service definition: for what is searched, byte for byte.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Sink {
    /// A sink on a port of its own, and its endpoint.
    pub(crate) async fn start() -> (Sink, String) {
        let sink = Sink::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(sink.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (sink, endpoint)
    }

    /// Everything that has arrived, as it was sent and as it is printed.
    pub(crate) fn received(&self) -> Vec<(Vec<u8>, String)> {
        let requests = self.0.lock().unwrap();
        requests
            .iter()
            .map(|request| (request.encode_to_vec(), format!("{request:?}")))
            .collect()
    }
}
