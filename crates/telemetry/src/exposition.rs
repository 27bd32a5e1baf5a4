//! One scrape: what counters have gathered, and what the state is at this moment, as Prometheus text.
//!
//! Numbers that describe a state are read when somebody asks and not kept up to date in between, so that they cannot be
//! out of date and cost nothing while nobody looks. Label names are constants of the program.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

/// Media type of the text.
pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

/// One value with its labels.
pub type Series = (Vec<(&'static str, String)>, f64);

/// A text in the making.
#[derive(Default)]
pub struct Exposition(Vec<MetricFamily>);

impl Exposition {
    /// With everything that was counted in `registry`.
    pub fn of(registry: &Registry) -> Exposition {
        Exposition(registry.gather())
    }

    /// A state without labels; nothing if there is none to tell.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        let series = value.map(|value| (Vec::new(), value));
        self.gauges(name, help, series);
    }

    /// A state for each of several things.
    pub fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = Series>,
    ) {
        self.add(name, help, MetricType::GAUGE, series, |metric, value| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        });
    }

    /// Something that was counted elsewhere since the start. The name ends in `_total`.
    pub fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = Series>,
    ) {
        self.add(name, help, MetricType::COUNTER, series, |metric, value| {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        });
    }

    /// The text, metrics in the order of their names.
    pub fn into_text(self) -> String {
        // The encoder refuses a metric without series.
        let mut families: Vec<MetricFamily> = self
            .0
            .into_iter()
            .filter(|family| !family.get_metric().is_empty())
            .collect();
        families.sort_by(|one, other| one.name().cmp(other.name()));
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
            // Cannot happen with names that are constants and values that are numbers; half a text would be a lie.
            tracing::error!(%error, "the metrics cannot be written");
            text.clear();
        }
        text
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        series: impl IntoIterator<Item = Series>,
        set: impl Fn(&mut Metric, f64),
    ) {
        let metrics = series.into_iter().map(|(labels, value)| {
            let labels = labels.into_iter().map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name(name.to_owned());
                pair.set_value(value);
                pair
            });
            let mut metric = Metric::from_label(labels.collect());
            set(&mut metric, value);
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics.collect());
        self.0.push(family);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_counts_come_out_in_order_and_absent_ones_not_at_all() {
        let registry = Registry::new();
        let counted = prometheus::IntCounter::new("b_total", "Counted here.").unwrap();
        registry.register(Box::new(counted.clone())).unwrap();
        counted.inc_by(2);
        let mut exposition = Exposition::of(&registry);
        exposition.gauge("c_seconds", "A state.", Some(1.5));
        exposition.gauge("d_seconds", "Not to be told now.", None);
        let labels = vec![("grant", "a\"b\\c\nd".to_owned())];
        exposition.counters("a_total", "Counted elsewhere.", [(labels, 7.0)]);
        let expected = "\
# HELP a_total Counted elsewhere.
# TYPE a_total counter
a_total{grant=\"a\\\"b\\\\c\\nd\"} 7
# HELP b_total Counted here.
# TYPE b_total counter
b_total 2
# HELP c_seconds A state.
# TYPE c_seconds gauge
c_seconds 1.5
";
        assert_eq!(exposition.into_text(), expected);
    }
}
