use axum::Router;
use axum::body::Body;
use axum::routing::any;
use lingqu_core::Clock;
use tower::ServiceExt;

use super::*;
use crate::testbed::{DAY, ManualClock, START, id};

fn peer(who: &str) -> Peer {
    Peer {
        id: id(who),
        fingerprint: [7; 32],
        not_before: START,
        not_after: START.plus(DAY),
        authority: "ours".to_owned(),
    }
}

/// Only parties may ask `/open`.
fn router() -> Router {
    let decide = |path: &str, peer: Result<&Peer, ErrorCode>| match (path, &peer?.id) {
        ("/open", crate::PeerId::Party(_)) => Ok(()),
        ("/open", crate::PeerId::Node(_) | crate::PeerId::Coordinator(_)) => {
            Err(ErrorCode::CallerRoleForbidden)
        }
        _ => Err(ErrorCode::ProductUnknown),
    };
    Router::new()
        .fallback(any(|_: String| async { "handled" }))
        .layer(AccessLayer::new(Arc::new(decide)))
}

async fn ask(path: &str, connected: Option<Connected>) -> Result<(), ErrorCode> {
    let mut request = Request::post(path)
        .header("content-type", "application/grpc+proto")
        .body(Body::empty())
        .unwrap();
    if let Some(connected) = connected {
        request.extensions_mut().insert(Arc::new(connected));
    }
    let response = router().oneshot(request).await.unwrap();
    match tonic::Status::from_header_map(response.headers()) {
        None => Ok(()),
        Some(status) => Err(crate::code_of(&status).unwrap()),
    }
}

#[tokio::test]
async fn each_request_is_decided_by_path_and_peer() {
    let clock = ManualClock::at(START);
    let from = |peer: Result<Peer, ErrorCode>| {
        let clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        Some(Connected::new(peer, ([127, 0, 0, 1], 1).into(), clock))
    };
    assert_eq!(ask("/open", from(Ok(peer("party_a")))).await, Ok(()));
    assert_eq!(
        ask("/other", from(Ok(peer("party_a")))).await,
        Err(ErrorCode::ProductUnknown)
    );
    assert_eq!(
        ask("/open", from(Ok(peer("node_a")))).await,
        Err(ErrorCode::CallerRoleForbidden)
    );
    let outside = Err(ErrorCode::CallerOutsidePrefix);
    assert_eq!(
        ask("/open", from(outside)).await,
        Err(ErrorCode::CallerOutsidePrefix)
    );
    // Not through our accept loop: nobody vouched.
    assert_eq!(
        ask("/open", None).await,
        Err(ErrorCode::CallerCertUntrusted)
    );
    clock.set(START.plus(DAY * 2));
    assert_eq!(
        ask("/open", from(Ok(peer("party_a")))).await,
        Err(ErrorCode::CallerCertExpired)
    );
}

/// A body that remembers whether anybody polled it.
struct Watched(Arc<std::sync::atomic::AtomicBool>);

impl hyper::body::Body for Watched {
    type Data = hyper::body::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Infallible>>> {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        Poll::Ready(None)
    }
}

#[tokio::test]
async fn a_refusal_reads_nothing_of_the_body() {
    for (who, is_read) in [("party_a", true), ("node_a", false)] {
        let polled = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut request = Request::post("/open")
            .body(Watched(Arc::clone(&polled)))
            .unwrap();
        let connected = Connected::new(
            Ok(peer(who)),
            ([127, 0, 0, 1], 1).into(),
            ManualClock::at(START),
        );
        request.extensions_mut().insert(Arc::new(connected));
        router().oneshot(request).await.unwrap();
        assert_eq!(
            polled.load(std::sync::atomic::Ordering::SeqCst),
            is_read,
            "{who}"
        );
    }
}
