//! The exporter against a receiver made from the official service definition: there, away, refusing, and mute.

use std::sync::Mutex;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::*;
use crate::trace::{Step, Value};

#[derive(Clone)]
struct Receiver {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    spans: watch::Sender<usize>,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    Taken,
    Rejected(i64),
    Refused(tonic::Code),
    Never,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let spans = request.resource_spans[0].scope_spans[0].spans.len();
        self.requests.lock().unwrap().push(request);
        self.spans.send_modify(|count| *count += spans);
        match self.answer {
            Answer::Taken => Ok(Response::new(ExportTraceServiceResponse::default())),
            Answer::Rejected(rejected_spans) => Ok(Response::new(ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans,
                    error_message: "too many".to_owned(),
                }),
            })),
            Answer::Refused(code) => Err(Status::new(code, "no")),
            Answer::Never => std::future::pending().await,
        }
    }
}

impl Receiver {
    /// A receiver on a port of its own, and its endpoint.
    async fn start(answer: Answer) -> (Receiver, String) {
        let receiver = Receiver {
            requests: Arc::default(),
            spans: watch::Sender::new(0),
            answer,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (receiver, endpoint)
    }

    async fn has(&self, spans: usize) {
        let mut count = self.spans.subscribe();
        count.wait_for(|count| *count >= spans).await.unwrap();
    }
}

fn settings(endpoint: String) -> Settings {
    Settings {
        otlp: Some(endpoint),
        spans_queued_max: 8,
        spans_batch_max: 4,
        export_timeout_s: 1,
        ..Settings::default()
    }
}

fn spans(settings: &Settings) -> (Spans, Exporter) {
    settings.check().unwrap();
    let resource = vec![("service.instance.id", Value::Word("node_a".to_owned()))];
    let (spans, exporter) = Spans::new(settings, "lingqu-node", "1.2.3", resource);
    (spans, exporter.unwrap())
}

/// A call of two steps: three spans.
fn trace(id: u8, fault: Option<&'static str>) -> Trace {
    let step = |name, start_ns, end_ns| Step {
        name,
        start_ns,
        end_ns,
    };
    Trace {
        id: [id; 16],
        whole: step("verification", 1_000, 9_000),
        attributes: vec![
            ("lingqu.outcome", Value::Word("ANSWERED".to_owned())),
            ("lingqu.units", Value::Number(1)),
        ],
        fault,
        steps: vec![step("decide", 1_000, 2_000), step("evaluate", 2_000, 9_000)],
    }
}

#[tokio::test]
async fn a_trace_arrives_whole_with_its_id_and_its_order() {
    let (receiver, endpoint) = Receiver::start(Answer::Taken).await;
    let (spans, exporter) = spans(&settings(endpoint));
    let ending = CancellationToken::new();
    let running = tokio::spawn(exporter.run(ending.clone()));
    spans.submit(trace(7, Some("INTERNAL")));
    receiver.has(3).await;
    ending.cancel();
    running.await.unwrap();
    assert_eq!(spans.tally().exported, 3);

    let request = receiver.requests.lock().unwrap()[0].clone();
    let resource = &request.resource_spans[0];
    let names: Vec<_> = resource
        .resource
        .as_ref()
        .unwrap()
        .attributes
        .iter()
        .map(|a| a.key.as_str())
        .collect();
    assert_eq!(
        names,
        ["service.name", "service.version", "service.instance.id"]
    );
    let spans = &resource.scope_spans[0].spans;
    let root = spans
        .iter()
        .find(|span| span.parent_span_id.is_empty())
        .unwrap();
    assert_eq!((root.name.as_str(), root.kind), ("verification", 2));
    assert_eq!(root.status.as_ref().unwrap().code, 2);
    assert_eq!(root.attributes.len(), 2);
    let word = root.attributes[0].value.as_ref().unwrap().value.clone();
    assert_eq!(
        word,
        Some(any_value::Value::StringValue("ANSWERED".to_owned()))
    );
    for span in spans {
        assert_eq!(span.trace_id, [7; 16]);
        assert_eq!(span.span_id.len(), 8);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        if span.name != "verification" {
            assert_eq!(span.parent_span_id, root.span_id);
            assert_eq!(span.kind, 1);
            assert!(span.attributes.is_empty());
        }
    }
    let ids: std::collections::BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), 3);
}

/// Nothing waits and nothing grows: a queue of eight takes two traces of three spans, and no part of a third.
#[tokio::test]
async fn what_does_not_fit_is_dropped_as_a_whole_and_counted() {
    let (receiver, endpoint) = Receiver::start(Answer::Taken).await;
    let (spans, exporter) = spans(&settings(endpoint));
    for id in 1..=10 {
        spans.submit(trace(id, None));
    }
    assert_eq!(spans.tally().overflow, 24);
    let ending = CancellationToken::new();
    let running = tokio::spawn(exporter.run(ending.clone()));
    receiver.has(6).await;
    ending.cancel();
    running.await.unwrap();
    assert_eq!(
        spans.tally(),
        Tally {
            exported: 6,
            overflow: 24,
            ..Tally::default()
        }
    );
}

#[tokio::test]
async fn what_is_queued_at_the_end_is_still_sent() {
    let (receiver, endpoint) = Receiver::start(Answer::Taken).await;
    let (spans, exporter) = spans(&settings(endpoint));
    spans.submit(trace(1, None));
    spans.submit(trace(2, None));
    let ended = CancellationToken::new();
    ended.cancel();
    exporter.run(ended).await;
    assert_eq!(spans.tally().exported, 6);
    assert_eq!(*receiver.spans.borrow(), 6);
    spans.submit(trace(3, None));
    assert_eq!(spans.tally().overflow, 3, "after the end nothing is taken");
}

#[tokio::test]
async fn a_receiver_that_is_away_costs_nothing_but_a_count() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (spans, exporter) = spans(&settings(endpoint));
    spans.submit(trace(1, None));
    let ended = CancellationToken::new();
    ended.cancel();
    exporter.run(ended).await;
    assert_eq!(
        spans.tally(),
        Tally {
            unreachable: 3,
            ..Tally::default()
        }
    );
}

/// It takes the connection and says nothing: the end of the process still comes, and everything is accounted for.
#[tokio::test]
async fn a_mute_receiver_holds_the_end_up_for_a_bounded_time() {
    let (receiver, endpoint) = Receiver::start(Answer::Never).await;
    let (spans, exporter) = spans(&settings(endpoint));
    let ending = CancellationToken::new();
    spans.submit(trace(1, None));
    spans.submit(trace(2, None));
    let running = tokio::spawn(exporter.run(ending.clone()));
    receiver.has(4).await;
    ending.cancel();
    running.await.unwrap();
    assert_eq!(
        spans.tally(),
        Tally {
            unreachable: 6,
            ..Tally::default()
        }
    );
}

#[tokio::test]
async fn what_the_receiver_refuses_is_counted_and_not_sent_again() {
    for (answer, expected) in [
        (
            Answer::Rejected(2),
            Tally {
                exported: 1,
                refused: 2,
                ..Tally::default()
            },
        ),
        // A receiver that lies does not make the counts lie.
        (
            Answer::Rejected(i64::MAX),
            Tally {
                refused: 3,
                ..Tally::default()
            },
        ),
        (
            Answer::Rejected(-1),
            Tally {
                exported: 3,
                ..Tally::default()
            },
        ),
        (
            Answer::Refused(tonic::Code::InvalidArgument),
            Tally {
                refused: 3,
                ..Tally::default()
            },
        ),
    ] {
        let (receiver, endpoint) = Receiver::start(answer).await;
        let (spans, exporter) = spans(&settings(endpoint));
        let ending = CancellationToken::new();
        spans.submit(trace(1, None));
        let running = tokio::spawn(exporter.run(ending.clone()));
        receiver.has(3).await;
        ending.cancel();
        running.await.unwrap();
        assert_eq!(spans.tally(), expected);
        assert_eq!(receiver.requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_receiver_that_says_unavailable_is_asked_again() {
    let (receiver, endpoint) = Receiver::start(Answer::Refused(tonic::Code::Unavailable)).await;
    let (spans, exporter) = spans(&settings(endpoint));
    let ending = CancellationToken::new();
    spans.submit(trace(1, None));
    let running = tokio::spawn(exporter.run(ending.clone()));
    receiver.has(6).await;
    ending.cancel();
    running.await.unwrap();
    assert_eq!(
        spans.tally(),
        Tally {
            unreachable: 3,
            ..Tally::default()
        }
    );
}

#[test]
fn without_an_endpoint_there_is_no_queue() {
    let (spans, exporter) = Spans::new(&Settings::default(), "lingqu-node", "1", Vec::new());
    assert!(exporter.is_none() && !spans.wanted());
    spans.submit(trace(1, None));
    assert_eq!(spans.tally(), Tally::default());
}
