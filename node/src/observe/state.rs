//! What the node's state is at this moment, read when somebody asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lingqu_core::decide::ClockState;
use lingqu_core::grant::{Environment, Grant};
use lingqu_core::{ErrorCode, GrantId, Timestamp};
use lingqu_journal::MirrorFigures;
use lingqu_policy::MicroRho;
use lingqu_telemetry::listener::Told;
use lingqu_telemetry::{Exposition, Health, Observed};
use lingqu_transport::StrangerEnd;

use crate::Node;
use crate::budgets::Budget;
use crate::loads::status::{ResourceStatus, SourceHealth};
use crate::node::View;

impl Observed for Node {
    fn metrics(self: Arc<Self>) -> Told<String> {
        Box::pin(async move {
            // Many locks are taken for a moment each; none is held where others wait for the thread.
            let text = tokio::task::spawn_blocking(move || exposition(&self).into_text());
            text.await.unwrap_or_default()
        })
    }

    fn health(&self) -> Health {
        let view = self.facts();
        Health(vec![
            ("serving", !self.observe.ending.load(Ordering::SeqCst)),
            ("journal_open", self.journal.figures().open),
            ("reconciled", self.ready()),
            ("headed", self.headed()),
            ("epoch_fresh", epoch_is_fresh(&view)),
            ("clock_good", view.clock() == ClockState::Good),
        ])
    }
}

/// Whether the list of what is revoked would do for at least one product that the unit has approved.
fn epoch_is_fresh(view: &View) -> bool {
    let Some(held) = view.epoch() else {
        return false;
    };
    let policies = view
        .holdings()
        .approved()
        .map(|approved| &approved.policy.policy);
    let age_max = policies.map(|policy| policy.epoch_age_max_s()).max();
    let age_max = age_max.map_or(Duration::MAX, |age_s| Duration::from_secs(age_s.into()));
    view.now() < held.epoch.valid_until && view.epoch_age() <= Some(age_max)
}

fn exposition(node: &Node) -> Exposition {
    let mut exposition = Exposition::of(&node.observe.meters.registry);
    process(node, &mut exposition);
    journal(node, &mut exposition);
    heads(node, &mut exposition);
    authority(node, &mut exposition);
    grants(node, &mut exposition);
    budgets(node, &mut exposition);
    products(node, &mut exposition);
    resources(node, &mut exposition);
    connections(node, &mut exposition);
    spans(node, &mut exposition);
    exposition
}

fn process(node: &Node, exposition: &mut Exposition) {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    exposition.gauges(
        "lingqu_node_build_info",
        "Always 1; the label tells the version of the software.",
        [(version, 1.0)],
    );
    exposition.gauge(
        "lingqu_node_start_time_seconds",
        "When the node was opened, in seconds since the Unix epoch.",
        Some(seconds(node.observe.started)),
    );
    let health = node.health();
    exposition.gauge(
        "lingqu_node_ready",
        "1 if calls can be answered now.",
        Some(flag(health.is_ready())),
    );
    let checks = health
        .0
        .into_iter()
        .map(|(check, holds)| (vec![("check", check.to_owned())], flag(holds)));
    exposition.gauges(
        "lingqu_node_health_check",
        "1 if the condition holds; all of them make the node ready.",
        checks,
    );
}

fn journal(node: &Node, exposition: &mut Exposition) {
    let figures = node.journal.figures();
    let gauges = [
        (
            "lingqu_node_journal_records",
            "Durable records in the journal.",
            number(figures.records),
        ),
        (
            "lingqu_node_journal_disk_bytes",
            "Bytes that the journal takes of the disk, room for further records included.",
            number(figures.disk_bytes),
        ),
        (
            "lingqu_node_mirror_connected",
            "1 if as many mirrors can be reached as answers under mirrored terms need.",
            flag(figures.mirror_connected),
        ),
        (
            "lingqu_node_mirror_lag_records",
            "Records that not enough mirrors have cosigned.",
            number(figures.records_unmirrored),
        ),
        (
            "lingqu_node_mirror_lag_calls",
            "Of these, calls: what the limits of lagging terms count.",
            number(figures.calls_unmirrored),
        ),
        (
            "lingqu_node_mirror_lag_seconds",
            "Age of the oldest call that not enough mirrors have cosigned.",
            figures.oldest_unmirrored.as_secs_f64(),
        ),
        (
            "lingqu_node_retries_kept",
            "Recorded answers that are kept for retries, running calls included.",
            count(node.retries.len()),
        ),
    ];
    for (name, help, value) in gauges {
        exposition.gauge(name, help, Some(value));
    }
    let mirrors: Vec<_> = mirrors(node).collect();
    let of = |measure: fn(&MirrorFigures) -> f64| {
        let each = mirrors.iter();
        each.map(move |(id, figures)| (vec![("mirror", id.clone())], measure(figures)))
    };
    exposition.gauges(
        "lingqu_node_mirror_up",
        "1 if this mirror can be reached.",
        of(|figures| flag(figures.connected)),
    );
    exposition.gauges(
        "lingqu_node_mirror_missing_records",
        "Records that this mirror has not cosigned.",
        of(|figures| number(figures.records_missing)),
    );
}

/// Each mirror by its coordinator's id.
fn mirrors(node: &Node) -> impl Iterator<Item = (String, MirrorFigures)> {
    let ids = node.config.mirror_addresses().into_iter();
    let figures = node.journal.mirror_figures();
    ids.map(|address| address.at.id.to_string()).zip(figures)
}

/// Where the stream stands in the head log, where its key is pinned.
fn heads(node: &Node, exposition: &mut Exposition) {
    let heads = node.journal.figures().heads;
    exposition.gauge(
        "lingqu_node_headed_records",
        "Records that the head log covers, as far as this run was shown; only where its key is pinned.",
        heads.map(|heads| number(heads.covered)),
    );
    exposition.gauge(
        "lingqu_node_witnessed_records",
        "Of these, covered by a head log that the pinned quorum of witnesses cosigned.",
        heads.map(|heads| number(heads.witnessed)),
    );
    exposition.gauge(
        "lingqu_node_head_log_heads",
        "Heads in the head log that the node accepted last.",
        heads.map(|heads| number(heads.log_size)),
    );
    exposition.gauge(
        "lingqu_node_head_lag_seconds",
        "For how long the oldest cosigned record that the head log lacks has been cosigned.",
        heads.map(|heads| heads.oldest_uncovered.as_secs_f64()),
    );
}

/// What calls are decided by: the list of what is revoked, and the unit's own stops.
fn authority(node: &Node, exposition: &mut Exposition) {
    let view = node.facts();
    exposition.gauge(
        "lingqu_node_epoch_number",
        "Number of the revocation list in force.",
        view.epoch().map(|held| number(held.epoch.number)),
    );
    exposition.gauge(
        "lingqu_node_epoch_age_seconds",
        "Age of the revocation list in force.",
        view.epoch_age().map(|age| age.as_secs_f64()),
    );
    exposition.gauge(
        "lingqu_node_epoch_expiry_timestamp_seconds",
        "When the revocation list in force ends, in seconds since the Unix epoch.",
        view.epoch().map(|held| seconds(held.epoch.valid_until)),
    );
    exposition.gauge(
        "lingqu_node_stops",
        "Stop orders of the unit that are in force.",
        Some(count(node.stops.current().scopes().count())),
    );
}

/// The grants that are nearest to their end of quantity, and how many there are in all.
fn grants(node: &Node, exposition: &mut Exposition) {
    let holdings = node.holdings();
    exposition.gauge(
        "lingqu_node_grants",
        "Grants that the node holds.",
        Some(count(holdings.grants().count())),
    );
    let now = node.clock.now();
    let mut left: Vec<Left> = holdings
        .grants()
        .flat_map(|grant| left_of(node, grant, now))
        .collect();
    left.sort_by_key(|left| left.day.min(left.term));
    left.truncate(node.observe.series_max);
    let series = left.into_iter().flat_map(|left| {
        let labels = |window: &str| {
            vec![
                ("environment", left.environment.as_str().to_owned()),
                ("grant", left.grant.to_string()),
                ("window", window.to_owned()),
            ]
        };
        [
            (labels("day"), number(left.day)),
            (labels("term"), number(left.term)),
        ]
    });
    exposition.gauges(
        "lingqu_node_grant_units_left",
        "Units that a grant has left at this node, today (UTC+8) and over its term; the grants with the least left.",
        series,
    );
}

/// Privacy budgets, for the unit: of each entity space, and of the grants with the least left.
fn budgets(node: &Node, exposition: &mut Exposition) {
    let data = |production: bool| match production {
        true => "production".to_owned(),
        false => "sample".to_owned(),
    };
    let budgets = node.budgets();
    let of_space = |measure: fn(&Budget) -> MicroRho| {
        let budgets = budgets.iter().take(node.observe.series_max);
        let series = budgets.map(move |budget| {
            let space = budget.space.clone();
            let labels = vec![("data", data(budget.production)), ("space", space)];
            (labels, rho(measure(budget)))
        });
        series.collect::<Vec<_>>()
    };
    exposition.gauges(
        "lingqu_node_privacy_budget_spent_rho",
        "Privacy budget of an entity space that is spent, by all callers together, in ρ.",
        of_space(|budget| budget.spent),
    );
    exposition.gauges(
        "lingqu_node_privacy_budget_left_rho",
        "Privacy budget of an entity space that is left under the policies in force, in ρ.",
        of_space(Budget::left),
    );
    let holdings = node.holdings();
    let mut left: Vec<(String, MicroRho)> = holdings
        .grants()
        .filter_map(|grant| {
            let limit = grant.quota_at(&node.config.id)?.rho_total?;
            let spent = node.journal.spent_under(&grant.id, Environment::Prod);
            Some((grant.id.to_string(), limit.left_after(spent)))
        })
        .collect();
    left.sort_by_key(|(_, left)| *left);
    left.truncate(node.observe.series_max);
    let series = left
        .into_iter()
        .map(|(grant, left)| (vec![("grant", grant)], rho(left)));
    exposition.gauges(
        "lingqu_node_grant_budget_left_rho",
        "Privacy budget that a grant may still spend over production data, in ρ; the grants with the least left.",
        series,
    );
}

fn rho(rho: MicroRho) -> f64 {
    number(rho.0) / 1e6
}

/// What a grant has left in each environment that it is for.
fn left_of(node: &Node, grant: &Grant, now: Timestamp) -> Vec<Left> {
    let left_in = |environment: &Environment| {
        let quota = grant.quota_in(*environment, &node.config.id)?;
        let used = node.journal.usage_in(*environment, &grant.id, now);
        Some(Left {
            grant: grant.id.clone(),
            environment: *environment,
            day: quota.calls_per_day.saturating_sub(used.today),
            term: quota.calls_total.saturating_sub(used.total),
        })
    };
    grant.environments.iter().filter_map(left_in).collect()
}

struct Left {
    grant: GrantId,
    environment: Environment,
    day: u64,
    term: u64,
}

fn products(node: &Node, exposition: &mut Exposition) {
    exposition.gauge(
        "lingqu_node_objects_held",
        "Signed objects that the node holds.",
        Some(count(node.holdings().len())),
    );
    exposition.gauge(
        "lingqu_node_products_open",
        "Products that can be called, each counted once.",
        Some(count(node.products.len())),
    );
    let dates = node
        .products
        .dates()
        .into_iter()
        .take(node.observe.series_max);
    let series = dates.map(|((resource, environment), date)| {
        let environment = environment.as_str().to_owned();
        let labels = vec![("environment", environment), ("resource", resource)];
        (labels, seconds(date))
    });
    exposition.gauges(
        "lingqu_node_resource_as_of_timestamp_seconds",
        "The date that a resource's data speaks for, in seconds since the Unix epoch.",
        series,
    );
}

/// Whether what is asked can be answered, and from how fresh data.
fn resources(node: &Node, exposition: &mut Exposition) {
    let statuses = node.resource_statuses();
    let of_resource = |measure: fn(&ResourceStatus) -> Option<f64>| {
        let asked = statuses.iter().filter(|status| status.asked);
        let series = asked.filter_map(move |status| {
            let environments = status.environments.join(" ");
            let labels = vec![
                ("environments", environments),
                ("resource", status.resource.clone()),
            ];
            Some((labels, measure(status)?))
        });
        series.take(node.observe.series_max).collect::<Vec<_>>()
    };
    exposition.gauges(
        "lingqu_node_resource_loaded",
        "1 if a load of the resource answers now.",
        of_resource(|status| Some(flag(status.load.is_some()))),
    );
    exposition.gauges(
        "lingqu_node_resource_rows",
        "Rows of the load that answers now.",
        of_resource(|status| status.load.as_ref().map(|load| number(load.rows))),
    );
    exposition.gauges(
        "lingqu_node_resource_stale",
        "1 if the resource is older than its update cycle.",
        of_resource(|status| Some(flag(status.stale))),
    );
    exposition.gauges(
        "lingqu_node_resource_changed",
        "1 if the table has changed and the unit has not looked at it; its products answer nothing.",
        of_resource(|status| Some(flag(status.changed.is_some()))),
    );
    exposition.gauges(
        "lingqu_node_resource_load_failed",
        "1 if the last load failed; what answered before goes on.",
        of_resource(|status| Some(flag(status.failed.is_some()))),
    );
    let healths = node.source_healths();
    let of_source = |measure: fn(&SourceHealth) -> f64| {
        let healths = healths.iter().take(node.observe.series_max);
        let series =
            healths.map(move |(name, health)| (vec![("source", name.clone())], measure(health)));
        series.collect::<Vec<_>>()
    };
    exposition.gauges(
        "lingqu_node_source_up",
        "1 if the source could be read when it was last looked at.",
        of_source(|health| flag(health.failure.is_none())),
    );
    exposition.gauges(
        "lingqu_node_source_may_write",
        "1 if the account could write at the source.",
        of_source(|health| flag(!health.may_write.is_empty())),
    );
}

fn connections(node: &Node, exposition: &mut Exposition) {
    exposition.gauge(
        "lingqu_node_connections",
        "Open connections of callers.",
        Some(count(node.connections.count())),
    );
    let refused = ErrorCode::ALL.iter().filter_map(|code| {
        let refused = node.connections.refused(*code);
        (refused > 0).then(|| (vec![("code", code.as_str().to_owned())], number(refused)))
    });
    exposition.counters(
        "lingqu_node_connections_refused_total",
        "Connections that were refused, by error code.",
        refused,
    );
    exposition.gauge(
        "lingqu_node_strangers",
        "Connections that have not shown a certificate yet.",
        Some(count(node.connections.strangers())),
    );
    let ended = StrangerEnd::ALL.map(|end| {
        let ended = number(node.connections.stranger_ends(end));
        (vec![("reason", end.as_str().to_owned())], ended)
    });
    exposition.counters(
        "lingqu_node_strangers_ended_total",
        "Connections that were ended before they were a caller's, by reason.",
        ended,
    );
}

fn spans(node: &Node, exposition: &mut Exposition) {
    let spans = &node.observe.meters.spans;
    if !spans.wanted() {
        return;
    }
    let tally = spans.tally();
    exposition.counters(
        "lingqu_node_spans_exported_total",
        "Spans that the receiver of traces has taken.",
        [(Vec::new(), number(tally.exported))],
    );
    let dropped = [
        ("overflow", tally.overflow),
        ("refused", tally.refused),
        ("unreachable", tally.unreachable),
    ];
    exposition.counters(
        "lingqu_node_spans_dropped_total",
        "Spans that were dropped: the queue was full, or the receiver refused them or could not be reached.",
        dropped.map(|(reason, spans)| (vec![("reason", reason.to_owned())], number(spans))),
    );
}

fn seconds(time: Timestamp) -> f64 {
    Duration::from_micros(u64::try_from(time.0).unwrap_or(0)).as_secs_f64()
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// Exact up to 2^53, which is how far the text format counts.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating-point numbers"
)]
fn number(value: u64) -> f64 {
    value as f64
}

fn count(value: usize) -> f64 {
    number(value as u64)
}
