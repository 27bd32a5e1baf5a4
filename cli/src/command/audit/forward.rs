//! `lingqu audit forward`: verified records on to a log collector of one's own, as syslog (RFC 5424) or OTLP logs.
//!
//! It is a follower of the feed and nothing else: however slow a collector is, no call waits for it, and the log itself is
//! the queue. What was handed over is kept in the state file only when the next head log has closed behind it, so that a
//! run that ends in the middle sends its last part again: every record arrives at least once, with the stream and index
//! that make it one and the same. A collector that cannot be reached ends the command (exit code 4); started again, it
//! goes on, and says first from where.

mod otlp;
mod syslog;

use std::path::PathBuf;

use clap::Args;
use lingqu_client::succession::{DroppedEnd, Step};
use lingqu_client::{Event, Seen};
use lingqu_core::Timestamp;
use lingqu_core::record::{Field, Kind, Record, Shape, flag};

use self::otlp::Otlp;
use self::syslog::Syslog;
use super::links;
use super::subscription::{Choice, Subscription, keep_seen, read_seen};
use crate::failure::Failure;
use crate::session::Session;
use crate::{interrupt, record_json};

/// `audit forward --coordinator URL … --region R --state FILE --to tcp://HOST:PORT|tls://HOST:PORT|unix:/PATH|otlp+http://HOST:PORT [--collector-ca FILE] [--unit …]`
#[derive(Args, Debug)]
pub(crate) struct Forward {
    #[command(flatten)]
    subscription: Subscription,
    #[command(flatten)]
    choice: Choice,
    /// Where to keep what was handed over, to go on from there · 续传状态文件
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The collector: `tcp://HOST:PORT` or `tls://HOST:PORT` (syslog), `unix:/PATH` (syslog on this machine),
    /// `otlp+http://HOST:PORT` (OTLP/gRPC on this machine) · 日志采集端
    #[arg(long, value_name = "COLLECTOR")]
    to: String,
    /// Who vouches for a collector over TLS, PEM · 为采集端证书作保的签发机构
    #[arg(long, value_name = "FILE")]
    collector_ca: Option<PathBuf>,
    /// End when everything known at the start was handed over · 转发现有记录后结束
    #[arg(long)]
    until_current: bool,
}

/// One thing to hand over, the same whatever the form.
pub(super) struct Item {
    /// When it happened; for words about the feed itself, when they are said.
    pub(super) time: Timestamp,
    pub(super) severity: Severity,
    /// What it is: the kind of the record, or `FEED`.
    pub(super) kind: String,
    /// Names and values, all of them text.
    pub(super) fields: Vec<(String, String)>,
    /// One line for people.
    pub(super) line: String,
}

/// How loud an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something failed.
    Error,
    /// A call was refused.
    Warning,
    /// Everything else.
    Info,
}

/// Where items go. At most one batch is under way.
enum Collector {
    Otlp(Otlp),
    Syslog(Syslog),
}

impl Collector {
    async fn connect(to: &str, ca: Option<&PathBuf>) -> Result<Collector, Failure> {
        match to.strip_prefix("otlp+") {
            Some(endpoint) => Ok(Collector::Otlp(Otlp::connect(endpoint).await?)),
            None => Ok(Collector::Syslog(Syslog::connect(to, ca).await?)),
        }
    }

    /// Hands over; what it returns from was taken by the other side, or at least by the system on the way to it.
    async fn send(&mut self, items: &[Item]) -> Result<(), Failure> {
        match self {
            Collector::Otlp(otlp) => otlp.send(items).await,
            Collector::Syslog(syslog) => syslog.send(items).await,
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        match self {
            Collector::Otlp(_) => Ok(()),
            Collector::Syslog(syslog) => syslog.close().await,
        }
    }
}

impl Forward {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let seen = read_seen(Some(&self.state))?;
        let runtime = session.runtime()?;
        let ca = self.collector_ca.as_ref();
        let mut collector = runtime.block_on(Collector::connect(&self.to, ca))?;
        let ended = runtime.block_on(async { interrupt::interrupted() })?;
        let mut ended = std::pin::pin!(ended);
        let begun = begin(&seen, session.clock.now());
        runtime.block_on(collector.send(&[begun]))?;
        let mut feed = self
            .subscription
            .follow(self.until_current, seen, &runtime, session)?;
        let selection = self.choice.selection();
        let (mut verified, mut sent) = (0, 0);
        // What the last head log but one had closed: what came after it may still be on its way.
        let mut settled: Option<Seen> = None;
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    event = feed.next() => Some(event),
                    () = &mut ended => None,
                }
            });
            let Some(Some(event)) = next.transpose()? else {
                break;
            };
            let items: Vec<Item> = match &event {
                Event::Records {
                    origin,
                    region,
                    records,
                    follows,
                    ..
                } => {
                    verified += records.len();
                    let begun = follows
                        .iter()
                        .map(|step| followed(step, session.clock.now()));
                    let wanted = records.iter();
                    let wanted = wanted.filter(|one| selection.takes(feed.seen(), origin, one));
                    let wanted = wanted.map(|one| item(one, origin, region.as_str()));
                    begun.chain(wanted).collect()
                }
                Event::Dropped { end, .. } => {
                    if let Some(end) = end {
                        links::check_dropped(&end.0, session)?;
                        links::tell_dropped(&end.0, session);
                    }
                    let end = end.iter();
                    end.map(|end| dropped(&end.0, session.clock.now()))
                        .collect()
                }
                Event::Complete { region, heads, .. } => {
                    let sum = Sum {
                        verified,
                        sent,
                        dropped: feed.seen().dropped_in(region),
                    };
                    vec![complete(region.as_str(), *heads, &sum, session.clock.now())]
                }
            };
            runtime.block_on(collector.send(&items))?;
            match event {
                Event::Records { follows, .. } => {
                    sent += items.len() - usize::from(follows.is_some());
                }
                Event::Dropped { .. } => {}
                Event::Complete { .. } => {
                    if let Some(settled) = settled.replace(feed.seen().clone()) {
                        keep_seen(Some(&self.state), &settled)?;
                    }
                }
            }
        }
        runtime.block_on(collector.close())?;
        if let Some(settled) = settled {
            keep_seen(Some(&self.state), &settled)?;
        }
        let dropped = feed.seen().dropped();
        session.say(
            format_args!(
                "{verified} records verified, {sent} of them handed over; {dropped} streams were dropped"
            ),
            format_args!("已核验 {verified} 条记录，转发 {sent} 条；已清除日志流 {dropped} 个"),
        );
        links::check_on_record(feed.seen().off_record().into_iter())
    }
}

/// The first word of a run: from where it goes on, and that what follows may have been sent before.
fn begin(seen: &Seen, now: Timestamp) -> Item {
    let line = if seen.is_new() {
        "forwarding begins with the first record"
    } else {
        "forwarding goes on; the records that follow may have been sent before, compare stream and index"
    };
    feed_item(line, Vec::new(), now)
}

/// What of a region was verified and handed over, and streams of it that are not there.
struct Sum {
    verified: usize,
    sent: usize,
    dropped: usize,
}

/// That the records of a stream are not there: a collector that is shown none of them must not take that for none.
fn dropped(end: &DroppedEnd, now: Timestamp) -> Item {
    let (origin, size) = (&end.origin, end.size);
    let fields = [
        ("stream", origin.clone()),
        ("records_dropped", size.to_string()),
        ("ended", end.ended.to_string()),
    ];
    let line = format!("the {size} records of stream {origin} were dropped and are not verified");
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Item {
        severity: Severity::Warning,
        ..feed_item(&line, fields.to_vec(), now)
    }
}

/// That everything up to a head was verified, and how much of it was handed over in this run: a collector that counts
/// otherwise has lost something.
fn complete(region: &str, heads: u64, sum: &Sum, now: Timestamp) -> Item {
    let Sum {
        verified,
        sent,
        dropped,
    } = sum;
    let fields = [
        ("region", region.to_owned()),
        ("heads", heads.to_string()),
        ("records_verified", verified.to_string()),
        ("records_sent", sent.to_string()),
        ("streams_dropped", dropped.to_string()),
    ];
    let but = match dropped {
        0 => String::new(),
        count => format!(" but for {count} dropped streams"),
    };
    let line = format!(
        "region {region} is complete up to head {heads}{but}; {sent} of {verified} records sent"
    );
    feed_item(
        &line,
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        now,
    )
}

/// That a stream was found to follow another one.
fn followed(step: &Step, now: Timestamp) -> Item {
    let (next, previous) = (step.next.name().as_str(), step.previous.name().as_str());
    let fields = [
        ("stream", next.to_owned()),
        ("previous", previous.to_owned()),
        ("unit", step.order.unit.to_string()),
        ("order_verified", step.is_order_checked.to_string()),
    ];
    let line = format!("stream {next} follows {previous}, proven by its last record");
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    feed_item(&line, fields.to_vec(), now)
}

fn feed_item(line: &str, fields: Vec<(String, String)>, time: Timestamp) -> Item {
    Item {
        time,
        severity: Severity::Info,
        kind: "FEED".to_owned(),
        fields,
        line: line.to_owned(),
    }
}

/// A record with all of its clear parts.
fn item(record: &Record, origin: &str, region: &str) -> Item {
    let json = record_json::of(record);
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let mut fields = vec![
        ("stream".to_owned(), origin.to_owned()),
        ("index".to_owned(), record.index.to_string()),
        // A record of an act has a field `region` of its own.
        ("stream_region".to_owned(), region.to_owned()),
    ];
    for name in ["call_id", "body_root"] {
        fields.extend(json.get(name).map(|value| (name.to_owned(), text(value))));
    }
    // A collector's message holds no proof and no balances: who wants them has an archive.
    let is_long = |name: &str| {
        let mut long = Field::ALL.iter();
        long.any(|field| field.name() == name && matches!(field.shape(), Shape::UpTo(_)))
    };
    let clear = json["clear"].as_object().into_iter().flatten();
    let clear = clear.filter(|(name, _)| !is_long(name));
    fields.extend(clear.map(|(name, value)| (name.clone(), text(value))));
    let draft = &record.draft;
    let severity = if draft.flags & flag::ERROR != 0 {
        Severity::Error
    } else if draft.flags & flag::REFUSED != 0 || draft.kind == Kind::Denials {
        Severity::Warning
    } else {
        Severity::Info
    };
    Item {
        time: record.time,
        severity,
        kind: text(&json["kind"]),
        fields,
        line: record_json::line(record),
    }
}
