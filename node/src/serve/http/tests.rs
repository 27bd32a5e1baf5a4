use axum::body::Body;
use lingqu_proto::{ClaimValue, verify_request};

use super::*;

const GOOD: &str = r#"{
    "call_id": "call_00112233445566778899aabbccddeeff", "grant": "grant_demo", "purpose": "P", "scenario": "S",
    "end_user": "91450000MA5DEM001X", "environment": "PROD", "product": "tb.plane", "version": 1,
    "claims": {"tail_number": "N1", "year": 2004}, "as_of_min": "2026-01-01"
}"#;
const BYTES_MAX: usize = 65_536;
const PATIENCE: Duration = Duration::from_secs(30);

fn request(content_type: &str, body: impl Into<Body>) -> Request {
    http::Request::post("/v1/verify")
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap()
}

async fn read_text(body: impl Into<Body>) -> Result<ProductCall, CallInvalid> {
    read::<VerifyRequest>(request("application/json", body), BYTES_MAX, PATIENCE).await
}

/// [`GOOD`] with one text replaced, which must be there.
fn but(this: &str, that: &str) -> String {
    assert!(GOOD.contains(this), "{this}");
    GOOD.replacen(this, that, 1)
}

#[tokio::test]
async fn a_call_is_the_one_that_grpc_would_make() {
    let call = read_text(GOOD).await.unwrap();
    let of_grpc = verify_request(
        call.id,
        &call.asked,
        &[
            ("year".to_owned(), ClaimValue::Integer(2004)),
            ("tail_number".to_owned(), ClaimValue::Text("N1".to_owned())),
        ],
        call.as_of_min,
    );
    assert_eq!(lingqu_proto::product_call(&of_grpc).unwrap(), call);
    for same in [
        but("\"P\"", "\"\\u0050\""),
        but("2004", "2004 "),
        but(
            "{\"tail_number\": \"N1\", \"year\": 2004}",
            "{\"year\": 2004, \"tail_number\": \"N1\"}",
        ),
    ] {
        assert_eq!(read_text(same).await.unwrap(), call);
    }
}

#[tokio::test]
async fn what_is_left_out_is_left_to_the_decision() {
    let minimal = r#"{"environment": "PROD", "product": "tb.plane", "claims": {"a": 1}}"#;
    let (one, two) = (
        read_text(minimal).await.unwrap(),
        read_text(minimal).await.unwrap(),
    );
    assert_eq!(one.asked, two.asked);
    assert_ne!(one.id, two.id, "each call has an id of its own");
    assert_eq!((one.asked.grant, one.asked.end_user.as_str()), (None, ""));
}

#[tokio::test]
async fn anything_else_is_refused() {
    for (why, body) in [
        ("nothing", String::new()),
        ("no object", "[]".to_owned()),
        ("not JSON", "{call_id: 1}".to_owned()),
        ("single quotes", GOOD.replace('"', "'")),
        ("trailing comma", but("\"2026-01-01\"", "\"2026-01-01\",")),
        ("something behind", format!("{GOOD}{GOOD}")),
        ("byte order mark", format!("\u{feff}{GOOD}")),
        ("comment", format!("/* */{GOOD}")),
        ("unknown field", but("\"grant\"", "\"grants\"")),
        ("field in capitals", but("\"grant\"", "\"Grant\"")),
        (
            "field twice",
            but("\"grant\"", "\"grant\": \"grant_other\", \"grant\""),
        ),
        (
            "escaped field twice",
            but("\"grant\"", "\"\\u0067rant\": \"grant_other\", \"grant\""),
        ),
        (
            "claim twice",
            but("\"year\": 2004", "\"year\": 2004, \"year\": 2005"),
        ),
        (
            "escaped claim twice",
            but("\"year\": 2004", "\"year\": 2004, \"\\u0079ear\": 2005"),
        ),
        (
            "proto",
            but("\"year\": 2004", "\"__proto__\": {\"year\": 2004}"),
        ),
        (
            "no claims",
            but("{\"tail_number\": \"N1\", \"year\": 2004}", "{}"),
        ),
        (
            "claims as list",
            but("{\"tail_number\": \"N1\", \"year\": 2004}", "[1]"),
        ),
        ("float", but("2004", "2004.0")),
        ("exponent", but("2004", "2004e0")),
        ("too large", but("2004", "9223372036854775808")),
        ("too small", but("2004", "-9223372036854775809")),
        ("far too large", but("2004", &"9".repeat(400))),
        ("boolean", but("2004", "true")),
        ("null", but("2004", "null")),
        ("nested", but("2004", "{\"$gt\": 0}")),
        ("list", but("2004", "[2004]")),
        ("null field", but("\"P\"", "null")),
        ("number for text", but("\"P\"", "1")),
        (
            "text for number",
            but("\"version\": 1", "\"version\": \"1\""),
        ),
        ("version zero", but("\"version\": 1", "\"version\": 0")),
        ("negative version", but("\"version\": 1", "\"version\": -1")),
        ("no environment", but("\"environment\": \"PROD\", ", "")),
        ("other environment", but("\"PROD\"", "\"prod\"")),
        ("call id", but("call_00", "call_0g")),
        (
            "zero call id",
            but("00112233445566778899aabbccddeeff", &"0".repeat(32)),
        ),
        ("grant", but("grant_demo", "party_demo")),
        ("product", but("tb.plane", "x.tb.plane")),
        ("free text as purpose", but("\"P\"", "\"who am I\"")),
        (
            "no credit code",
            but("91450000MA5DEM001X", "110101199003070000"),
        ),
        ("date", but("2026-01-01", "2026-02-30")),
        ("lone surrogate", but("N1", "\\ud800")),
        ("control character", but("N1", "\u{1}")),
        ("long text", but("N1", &"N".repeat(1_025))),
        (
            "deep",
            but("2004", &("[".repeat(30_000) + &"]".repeat(30_000))),
        ),
        ("deep objects", "{\"a\":".repeat(10_000)),
        ("too large a body", but("N1", &"N".repeat(BYTES_MAX))),
    ] {
        let read = read_text(body.clone()).await;
        assert!(read.is_err(), "{why}: {read:?}");
    }
    let many: Vec<String> = (0..33).map(|n| format!("\"f{n}\": {n}")).collect();
    let many = but("\"tail_number\": \"N1\", \"year\": 2004", &many.join(", "));
    assert!(read_text(many).await.is_err());
    let not_utf8 = [GOOD.as_bytes(), &[0xff]].concat();
    assert!(read_text(not_utf8).await.is_err());
}

#[tokio::test]
async fn a_refusal_names_no_value() {
    for body in [
        but("\"N1\"", "[\"secret-4711\"]"),
        but("\"grant\"", "\"secret-4711\""),
        but("\"P\"", "\"secret-4711 \""),
    ] {
        let refused = read_text(body).await.unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("4711"));
    }
}

#[tokio::test]
async fn only_plain_json_is_read() {
    for (content_type, is_read) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON;charset=\"UTF-8\"", true),
        ("application/json; charset=utf-16", false),
        ("application/json; charset=utf-8; boundary=x", false),
        ("application/jsonp", false),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("", false),
    ] {
        let read = read::<VerifyRequest>(request(content_type, GOOD), BYTES_MAX, PATIENCE).await;
        assert_eq!(read.is_ok(), is_read, "{content_type}");
    }
    let mut compressed = request("application/json", GOOD);
    let gzip = HeaderValue::from_static("gzip");
    compressed
        .headers_mut()
        .insert(header::CONTENT_ENCODING, gzip);
    assert!(
        read::<VerifyRequest>(compressed, BYTES_MAX, PATIENCE)
            .await
            .is_err()
    );
    let mut query = request("application/json", GOOD);
    *query.uri_mut() = "/v1/verify?version=2".parse().unwrap();
    assert!(
        read::<VerifyRequest>(query, BYTES_MAX, PATIENCE)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let endless = futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
    let endless = request("application/json", Body::from_stream(endless));
    let given_up = read::<VerifyRequest>(endless, BYTES_MAX, Duration::from_millis(1)).await;
    assert!(given_up.is_err());
    let blanks = || Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b' '; 1_024]));
    let large = Body::from_stream(futures::stream::repeat_with(blanks));
    assert!(read_text(large).await.is_err());
}
