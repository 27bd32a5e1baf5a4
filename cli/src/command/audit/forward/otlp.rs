//! OTLP logs over gRPC to a collector on this machine. The few messages that are needed are written out here, with the
//! numbers of `opentelemetry/proto/logs/v1/logs.proto`.
//!
//! An export is acknowledged, and what a collector refuses of it is an error here: nothing is passed over.

use std::time::Duration;

use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::{Item, Severity};
use crate::failure::Failure;

const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// Longest an export may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records of one export.
const BATCH_MAX: usize = 512;

/// A connection to a collector.
pub(super) struct Otlp(Grpc<Channel>);

#[derive(Clone, PartialEq, Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
}

impl Otlp {
    /// Connects to `http://HOST:PORT`, which must be this machine: the export is not encrypted and asks nobody who it is.
    pub(super) async fn connect(endpoint: &str) -> Result<Otlp, Failure> {
        let unusable = |why: &str| Failure::Unusable(format!("`otlp+{endpoint}`: {why}"));
        let parsed = Endpoint::from_shared(endpoint.to_owned());
        let parsed = parsed.map_err(|error| unusable(&error.to_string()))?;
        let host = parsed.uri().host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if parsed.uri().scheme_str() != Some("http") || !is_here {
            return Err(unusable(
                "put a collector on this machine, `otlp+http://127.0.0.1:PORT`, and let it encrypt what goes on",
            ));
        }
        let patient = parsed.connect_timeout(PATIENCE).timeout(PATIENCE);
        let channel = patient.connect().await;
        let channel =
            channel.map_err(|error| Failure::Unreachable(format!("`{endpoint}`: {error}")))?;
        Ok(Otlp(Grpc::new(channel)))
    }

    pub(super) async fn send(&mut self, items: &[Item]) -> Result<(), Failure> {
        for batch in items.chunks(BATCH_MAX) {
            let request = request(batch);
            let unreachable = |why: String| Failure::Unreachable(format!("the collector: {why}"));
            let ready = self.0.ready().await;
            ready.map_err(|error| unreachable(error.to_string()))?;
            let codec = ProstCodec::<ExportRequest, ExportResponse>::default();
            let path = PathAndQuery::from_static(EXPORT);
            let answered = self
                .0
                .unary(tonic::Request::new(request), path, codec)
                .await;
            let answered =
                answered.map_err(|status| unreachable(format!("{:?}", status.code())))?;
            let refused = answered.into_inner().partial_success.unwrap_or_default();
            if refused.rejected_log_records > 0 {
                let count = refused.rejected_log_records;
                return Err(unreachable(format!("it refused {count} records")));
            }
        }
        Ok(())
    }
}

fn request(items: &[Item]) -> ExportRequest {
    let log_records = items.iter().map(|item| {
        let (severity_number, severity_text) = match item.severity {
            Severity::Error => (17, "ERROR"),
            Severity::Warning => (13, "WARN"),
            Severity::Info => (9, "INFO"),
        };
        let fields = item.fields.iter();
        LogRecord {
            time_unix_nano: u64::try_from(item.time.0)
                .unwrap_or(0)
                .saturating_mul(1_000),
            severity_number,
            severity_text: severity_text.to_owned(),
            body: Some(text(&item.line)),
            attributes: fields
                .map(|(name, value)| pair(&format!("lingqu.{name}"), value))
                .collect(),
            event_name: format!("lingqu.{}", item.kind.to_lowercase()),
        }
    });
    let scope_logs = vec![ScopeLogs {
        log_records: log_records.collect(),
    }];
    let attributes = vec![
        pair("service.name", "lingqu-audit"),
        pair("service.version", env!("CARGO_PKG_VERSION")),
    ];
    ExportRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes }),
            scope_logs,
        }],
    }
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(text(value)),
    }
}

fn text(value: &str) -> AnyValue {
    AnyValue {
        string_value: Some(value.to_owned()),
    }
}
