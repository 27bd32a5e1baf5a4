use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::store::file_name;
use crate::witness::tests::{ORIGIN, clock, fresh, request};

async fn ask(router: &Router, request: Request<Body>) -> (u16, String, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.map_or(String::new(), |kind| kind.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

fn post(body: Vec<u8>) -> Request<Body> {
    Request::post("/add-checkpoint")
        .body(Body::from(body))
        .unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_is_that_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let router = router(Arc::new(fresh(dir.path(), clock())), 4);
    let monitoring = format!("/{}/checkpoint", file_name(ORIGIN));
    assert_eq!(ask(&router, get(&monitoring)).await.0, 404);
    let (status, _, body) = ask(&router, post(request(1, 0, 5))).await;
    assert_eq!(status, 200);
    assert!(
        body.starts_with("\u{2014} w.example/1 ") && body.ends_with('\n'),
        "{body}"
    );
    let (status, kind, body) = ask(&router, post(request(1, 3, 8))).await;
    assert_eq!(
        (status, kind.as_str(), body.as_str()),
        (409, "text/x.tlog.size", "5\n")
    );
    let (status, _, shown) = ask(&router, get(&monitoring)).await;
    assert_eq!(status, 200);
    assert!(shown.starts_with("c.example/h/45\n5\n"), "{shown}");
    assert_eq!(ask(&router, get("/add-checkpoint")).await.0, 405);
    assert_eq!(ask(&router, get("/x/checkpoint")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_too_much_at_once_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let witness = Arc::new(fresh(dir.path(), clock()));
    let large = vec![b'a'; MAX_ADD_CHECKPOINT_BYTES + 1];
    let router_of = |places| router(Arc::clone(&witness), places);
    assert_eq!(ask(&router_of(1), post(large)).await.0, 413);
    assert_eq!(ask(&router_of(0), post(request(1, 0, 5))).await.0, 503);
    assert_eq!(ask(&router_of(1), post(request(1, 0, 5))).await.0, 200);
}
