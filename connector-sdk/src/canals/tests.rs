//! The kit on three rows.

use std::sync::Arc;

use lingqu_connector_sdk::TableName;
use lingqu_connector_sdk::conformance::{Options, Verdict, check};

use super::Canals;

#[tokio::test(flavor = "multi_thread")]
async fn canals_conform() {
    let name = TableName::of_one("canals").unwrap();
    let report = check(Arc::new(Canals(name)), None, Options::default(), |_| {}).await;
    assert!(report.conforms(), "{report}");
    let passed = |id: &str| matches!(report.outcome(id).unwrap().verdict, Verdict::Passed { .. });
    let compared = [
        "load.columns",
        "push-down.compare",
        "push-down.limit",
        "limit.rows",
    ];
    assert!(compared.into_iter().all(passed), "{report}");
}
