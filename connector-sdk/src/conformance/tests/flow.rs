//! What back-pressure is told by: the rows that a source counts, or only that it works. A connector that takes
//! everything is found by either, and what proves nothing is not taken for proof.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::conformance::{Control, Fixture, NotControlled, Options, Outcome, Verdict, check};

use super::faulty::{Fault, Faulty};
use super::options;

const ID: &str = "flow.back-pressure";

async fn outcome(source: Faulty, fixture: Option<Fixture>, options: Options) -> Outcome {
    let options = Options {
        only: vec![ID.to_owned()],
        ..options
    };
    let report = check(Arc::new(source), fixture, options, |_| {}).await;
    report.outcome(ID).unwrap().clone()
}

fn said(outcome: &Outcome) -> &str {
    outcome.verdict.said().map_or("", |said| &said.en)
}

/// A control that only answers what it is made of.
#[derive(Clone, Copy, Default)]
struct Tells {
    rows_sent: Option<u64>,
    running: Option<u64>,
}

#[async_trait]
impl Control for Tells {
    async fn rows_sent(&self) -> Result<u64, NotControlled> {
        self.rows_sent.ok_or(NotControlled::None)
    }

    async fn running_queries(&self) -> Result<u64, NotControlled> {
        self.running.ok_or(NotControlled::None)
    }
}

/// A fixture of nothing but a control.
fn told_by(control: Tells) -> Option<Fixture> {
    Some(Fixture {
        control: Some(Arc::new(control)),
        ..Fixture::default()
    })
}

#[tokio::test]
async fn a_connector_that_reads_ahead_slowly_is_found_by_the_work_alone() {
    let source = Faulty::new(Some(Fault::ReadsAhead)).without_unfit();
    let found = outcome(source, None, options()).await;
    assert!(matches!(found.verdict, Verdict::Failed { .. }), "{found}");
    assert!(said(&found).contains("all 5000 rows"), "{found}");

    let source = Faulty::new(None).without_unfit();
    let found = outcome(source, None, options()).await;
    assert!(matches!(found.verdict, Verdict::Passed { .. }), "{found}");
    assert!(said(&found).contains("`rows_sent` would count"), "{found}");
}

/// The source has sent all before it can be seen working: by that alone nothing is held against the connector.
#[tokio::test]
async fn a_source_that_was_never_seen_working_proves_nothing() {
    let source = Faulty::new(Some(Fault::BuffersEverything)).without_unfit();
    let found = outcome(source, None, options()).await;
    assert!(matches!(found.verdict, Verdict::NotApplicable { .. }));
    assert!(said(&found).contains("never seen working"), "{found}");

    let blind = Tells {
        running: Some(0),
        ..Tells::default()
    };
    let source = Faulty::new(None).without_unfit();
    let found = outcome(source, told_by(blind), options()).await;
    assert!(matches!(found.verdict, Verdict::NotApplicable { .. }));
    assert!(
        said(&found).contains("does not count this reading"),
        "{found}"
    );
}

#[tokio::test]
async fn a_table_that_fits_into_what_may_be_sent_ahead_proves_nothing() {
    let source = Faulty::new(Some(Fault::ReadsAhead)).with_large(1_024);
    let fixture = source.fixture();
    let found = outcome(source, Some(fixture), options()).await;
    assert!(matches!(found.verdict, Verdict::NotApplicable { .. }));
    assert_eq!(
        said(&found),
        "`large` has 1024 rows, but 512 may be sent ahead: prepare more than 1024 (`large`)"
    );

    let source = Faulty::new(Some(Fault::ReadsAhead)).with_large(1_025);
    let fixture = source.fixture();
    let found = outcome(source, Some(fixture), options()).await;
    assert!(matches!(found.verdict, Verdict::Failed { .. }), "{found}");

    // What sockets hold counts too, where there is a connection.
    let source = Faulty::new(None).with_large(1_025);
    let fixture = source.fixture();
    let wide = Options {
        socket_bytes: 1 << 20,
        ..options()
    };
    let found = outcome(source, Some(fixture), wide).await;
    assert!(matches!(found.verdict, Verdict::NotApplicable { .. }));
}

/// A counter that stands still is not evidence; the work still is.
#[tokio::test]
async fn a_counter_that_does_not_count_is_not_believed() {
    let still = Tells {
        rows_sent: Some(7),
        ..Tells::default()
    };
    let source = Faulty::new(Some(Fault::ReadsAhead)).without_unfit();
    let found = outcome(source, told_by(still), options()).await;
    assert!(matches!(found.verdict, Verdict::Failed { .. }), "{found}");
}

#[tokio::test]
async fn a_table_that_takes_too_long_is_not_waited_for() {
    let source = Faulty::new(Some(Fault::ReadsAhead)).without_unfit();
    let hasty = Options {
        check_time_max: Duration::from_secs(3),
        ..options()
    };
    let found = outcome(source, None, hasty).await;
    assert!(matches!(found.verdict, Verdict::NotApplicable { .. }));
    assert!(said(&found).contains("check_time_max"), "{found}");
}
