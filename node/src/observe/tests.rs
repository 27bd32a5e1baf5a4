//! What a probe counts, phase by phase, with a clock that stands still.

use lingqu_journal::Unrecorded;
use lingqu_testkit::ManualClock;

use super::*;

fn meters() -> (Arc<ManualClock>, Arc<Meters>) {
    let clock = ManualClock::at(Timestamp::from_unix_s(1_800_000_000));
    let settings = Settings::default();
    let (spans, _) = Spans::new(&settings, "lingqu-node", "0", Vec::new());
    (clock.clone(), Arc::new(Meters::new(clock, spans)))
}

fn text(meters: &Meters) -> String {
    lingqu_telemetry::Exposition::of(&meters.registry).into_text()
}

fn has(meters: &Meters, line: &str) {
    let text = text(meters);
    assert!(
        text.lines().any(|found| found == line),
        "no `{line}` in\n{text}"
    );
}

#[test]
fn closed_lists_begin_at_zero() {
    let (_, meters) = meters();
    has(
        &meters,
        "lingqu_node_calls_total{kind=\"statistic\",outcome=\"denied\"} 0",
    );
    has(
        &meters,
        "lingqu_node_unrecorded_total{code=\"AUDIT_UNAVAILABLE\"} 0",
    );
    for code in ErrorCode::ALL {
        has(
            &meters,
            &format!("lingqu_node_denials_total{{code=\"{code}\"}} 0"),
        );
    }
}

#[test]
fn a_call_is_in_flight_until_it_ends_and_its_phases_add_up() {
    let (clock, meters) = meters();
    let mut probe = Probe::begin(Arc::clone(&meters));
    has(&meters, "lingqu_node_calls_in_flight 1");
    probe.phase(Phase::Decide);
    clock.advance(std::time::Duration::from_millis(250));
    probe.phase(Phase::Evaluate);
    clock.advance(std::time::Duration::from_millis(500));
    probe.end(&lingqu_journal::Released::<()>::unrecorded(
        Unrecorded::AuditUnavailable,
    ));
    has(&meters, "lingqu_node_calls_in_flight 0");
    has(
        &meters,
        "lingqu_node_calls_total{kind=\"unknown\",outcome=\"unrecorded\"} 1",
    );
    has(
        &meters,
        "lingqu_node_unrecorded_total{code=\"AUDIT_UNAVAILABLE\"} 1",
    );
    has(
        &meters,
        "lingqu_node_call_duration_seconds_sum{kind=\"unknown\"} 0.75",
    );
    let of_phase = |phase: &str, what: &str| {
        format!(
            "lingqu_node_call_phase_duration_seconds_{what}{{kind=\"unknown\",phase=\"{phase}\""
        )
    };
    has(&meters, &format!("{}}} 0.25", of_phase("decide", "sum")));
    has(&meters, &format!("{}}} 0.5", of_phase("evaluate", "sum")));
    has(
        &meters,
        &format!("{},le=\"0.25\"}} 0", of_phase("evaluate", "bucket")),
    );
    has(
        &meters,
        &format!("{},le=\"0.5\"}} 1", of_phase("evaluate", "bucket")),
    );
}

/// A panic in the bookkeeping drops the probe: the call does not stay in flight for ever, and it is not lost.
#[test]
fn a_call_that_never_ends_is_counted_as_abandoned() {
    let (_, meters) = meters();
    drop(Probe::begin(Arc::clone(&meters)));
    has(&meters, "lingqu_node_calls_in_flight 0");
    has(
        &meters,
        "lingqu_node_calls_total{kind=\"unknown\",outcome=\"abandoned\"} 1",
    );
}
