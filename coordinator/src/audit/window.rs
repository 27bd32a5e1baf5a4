//! What is kept of checked spans: rows for people, bounded in bytes over all streams together.
//!
//! When there is too much, the stream that takes most gives up its oldest rows first, so that one that is flooded does
//! not push the others out. Texts are kept once however many rows have them; they are counted as if each row had its own,
//! so that the bound also holds for a node that never writes the same text twice.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use lingqu_core::debit::Debit;
use lingqu_core::record::{Field, Kind, RecordView, flag};
use lingqu_core::{CallId, Region, Timestamp};
use lingqu_tlog::{Frontier, Hash, Intl};

use super::span::{Checked, Fault};
use crate::mirror::streams::Stream;

/// Entries between two right edges that are kept to prove from.
const EDGE_EVERY: u64 = 256;
/// Bytes that a row takes apart from its texts, about.
const ROW_BYTES: usize = 256;
/// Bytes that a kept right edge takes at most: 64 hashes.
const EDGE_BYTES: usize = 64 * 32;

/// A text that many rows share.
pub(crate) type Name = Arc<str>;

/// The texts that rows share.
#[derive(Default)]
pub(crate) struct Names {
    known: HashSet<Name>,
    /// How many there were after those that nobody has any more were last thrown out.
    swept: usize,
}

impl Names {
    fn of(&mut self, text: Option<&str>) -> Option<Name> {
        let text = text?;
        if let Some(known) = self.known.get(text) {
            return Some(Arc::clone(known));
        }
        if self.known.len() > 2 * self.swept + 1_024 {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.swept = self.known.len();
        }
        let name: Name = text.into();
        self.known.insert(Arc::clone(&name));
        Some(name)
    }
}

/// How a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// A call that was answered.
    Answered,
    /// A call that failed after data was touched.
    Failed,
    /// A call that was refused.
    Refused,
    /// No call: an act, a load, a change of what the node may do, a start or a stop.
    Act,
}

/// One record, as people see it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) index: u64,
    pub(crate) time: Timestamp,
    /// The head in whose span it stands, and the span's first entry.
    pub(crate) head: u64,
    pub(crate) span_first: u64,
    pub(crate) kind: Kind,
    pub(crate) class: Class,
    pub(crate) call: CallId,
    /// How many events it stands for.
    pub(crate) count: u64,
    pub(crate) units: u64,
    pub(crate) caller: Option<Name>,
    pub(crate) end_user: Option<Name>,
    pub(crate) grant: Option<Name>,
    pub(crate) scenario: Option<Name>,
    pub(crate) purpose: Option<Name>,
    pub(crate) product: Option<Name>,
    pub(crate) environment: Option<Name>,
    pub(crate) action: Option<Name>,
    pub(crate) outcome: Option<Name>,
    pub(crate) subject: Option<Name>,
    pub(crate) actor: Option<Name>,
}

impl Row {
    pub(super) fn new(view: &RecordView<'_>, head: u64, span_first: u64, names: &mut Names) -> Row {
        // A debit is about the space that it is spent on.
        let spent = Debit::of(view).ok().flatten();
        let spent = spent.map(|debit| format!("{}: {} ρ", debit.space, debit.rho));
        // The end and the beginning of a stream are about the one that follows it, or came before: a key's name.
        let other = view.text(Field::NextKey).or(view.text(Field::PreviousKey));
        let other = other.and_then(|key| key.split('+').next());
        let about = view.text(Field::Subject).or(other);
        let subject = names.of(spent.as_deref().or(about));
        let mut text = |field| names.of(view.text(field));
        let class = class(view);
        // Of an act the field counts what it is about, the rows of a load for example.
        let count = match class {
            Class::Act => 1,
            Class::Answered | Class::Failed | Class::Refused => {
                view.number(Field::Count).unwrap_or(1)
            }
        };
        Row {
            index: view.index(),
            time: view.time(),
            head,
            span_first,
            kind: view.kind(),
            class,
            call: view.call(),
            count,
            units: view.number(Field::Units).unwrap_or(0),
            caller: text(Field::Caller),
            end_user: text(Field::EndUser),
            grant: text(Field::Grant),
            scenario: text(Field::Scenario),
            purpose: text(Field::Purpose),
            product: text(Field::Product),
            environment: text(Field::Environment),
            action: text(Field::Action),
            outcome: text(Field::Outcome),
            subject,
            actor: text(Field::Actor),
        }
    }

    /// Bytes that it takes at most.
    pub(super) fn bytes(&self) -> usize {
        let texts = [
            &self.caller,
            &self.end_user,
            &self.grant,
            &self.scenario,
            &self.purpose,
            &self.product,
            &self.environment,
            &self.action,
            &self.outcome,
            &self.subject,
            &self.actor,
        ];
        let lengths = texts.into_iter().flatten().map(|name| name.len());
        ROW_BYTES + lengths.sum::<usize>()
    }
}

fn class(view: &RecordView<'_>) -> Class {
    match view.kind() {
        Kind::Denials => Class::Refused,
        Kind::Call if view.has(flag::REFUSED) => Class::Refused,
        Kind::Call if view.has(flag::ERROR) => Class::Failed,
        Kind::Call => Class::Answered,
        Kind::NodeStart
        | Kind::NodeStop
        | Kind::Heartbeat
        | Kind::AuthorizationChange
        | Kind::Control
        | Kind::Debit
        | Kind::Forward
        | Kind::Load
        | Kind::StreamBegin
        | Kind::StreamEnd => Class::Act,
    }
}

/// One stream, as far as it was read.
pub(crate) struct Kept {
    pub(crate) stream: Arc<Stream>,
    /// The checked tree.
    pub(crate) tree: Frontier<Intl>,
    pub(crate) rows: VecDeque<Row>,
    /// Right edges at beginnings of spans, in ascending order: the first is at or before the span of the first row.
    edges: VecDeque<Frontier<Intl>>,
    /// The head from which on nothing is believed, and why.
    pub(crate) fault: Option<(u64, Fault)>,
    /// Whether rows were given up.
    pub(crate) is_cut: bool,
    bytes: usize,
}

impl Kept {
    fn new(stream: &Arc<Stream>) -> Kept {
        Kept {
            stream: Arc::clone(stream),
            tree: Frontier::new(),
            rows: VecDeque::new(),
            edges: VecDeque::new(),
            fault: None,
            is_cut: false,
            bytes: 0,
        }
    }

    /// The nearest kept right edge at or before entry `first`.
    pub(crate) fn edge_before(&self, first: u64) -> Option<&Frontier<Intl>> {
        let after = self.edges.partition_point(|edge| edge.size() <= first);
        self.edges.get(after.checked_sub(1)?)
    }

    fn take(&mut self, before: Frontier<Intl>, after: Frontier<Intl>, rows: VecDeque<Row>) {
        let last = self.edges.back().map(Frontier::size);
        let is_far = last.is_none_or(|last| before.size() - last >= EDGE_EVERY);
        if is_far && !rows.is_empty() {
            self.edges.push_back(before);
            self.bytes += EDGE_BYTES;
        }
        self.tree = after;
        self.bytes += rows.iter().map(Row::bytes).sum::<usize>();
        self.rows.extend(rows);
    }

    /// Gives up the oldest rows: a part of them at once, so that it is not asked for again soon.
    fn give_up(&mut self) {
        self.is_cut = true;
        let dropped = (self.rows.len() / 16).max(1).min(self.rows.len());
        let bytes: usize = self.rows.drain(..dropped).map(|row| row.bytes()).sum();
        self.bytes -= bytes;
        let first = self.rows.front().map_or(u64::MAX, |row| row.span_first);
        while self.edges.get(1).is_some_and(|edge| edge.size() <= first)
            || (self.rows.is_empty() && !self.edges.is_empty())
        {
            self.edges.pop_front();
            self.bytes -= EDGE_BYTES;
        }
    }
}

/// One head log, as far as it was read.
#[derive(Default)]
pub(crate) struct ReadLog {
    tree: Frontier<Intl>,
    /// Leaves that a signed checkpoint was found to be over.
    closed: u64,
    is_faulty: bool,
}

impl ReadLog {
    pub(super) fn push(&mut self, leaf: Hash) {
        self.tree.push(leaf);
    }

    /// Leaves so far.
    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Leaves that the head log's signed checkpoint is over.
    pub(crate) fn closed(&self) -> u64 {
        self.closed
    }

    /// Whether a signed checkpoint was over other leaves.
    pub(crate) fn is_faulty(&self) -> bool {
        self.is_faulty
    }

    pub(super) fn close(&mut self, root: Hash) {
        if self.tree.root() == root && !self.is_faulty {
            self.closed = self.tree.size();
        } else {
            self.is_faulty = true;
        }
    }
}

/// See the module.
pub(crate) struct Window {
    pub(crate) streams: BTreeMap<String, Kept>,
    pub(crate) logs: BTreeMap<Region, ReadLog>,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(bytes_max: usize) -> Window {
        Window {
            streams: BTreeMap::new(),
            logs: BTreeMap::new(),
            bytes_max,
        }
    }

    /// Heads of a region that were read.
    pub(super) fn read_heads(&self, region: &Region) -> u64 {
        self.logs.get(region).map_or(0, ReadLog::size)
    }

    pub(super) fn log(&mut self, region: &Region) -> &mut ReadLog {
        self.logs.entry(region.clone()).or_default()
    }

    /// The checked tree of a stream.
    pub(super) fn edge(&self, origin: &str) -> Frontier<Intl> {
        let kept = self.streams.get(origin);
        kept.map(|kept| kept.tree.clone()).unwrap_or_default()
    }

    pub(super) fn is_faulty(&self, origin: &str) -> bool {
        let kept = self.streams.get(origin);
        kept.is_some_and(|kept| kept.fault.is_some())
    }

    /// Takes in what came of a head.
    pub(super) fn keep(&mut self, stream: &Arc<Stream>, head: u64, checked: Checked) {
        let kept = self.streams.entry(stream.origin.clone());
        let kept = kept.or_insert_with(|| Kept::new(stream));
        match checked {
            Checked::Holds {
                before,
                after,
                rows,
                is_cut,
            } => {
                kept.is_cut |= is_cut;
                kept.take(before, after, rows);
            }
            // What was dropped is shown to nobody any more.
            Checked::Dropped => {
                kept.is_cut = true;
                while !kept.rows.is_empty() {
                    kept.give_up();
                }
            }
            Checked::Faulty(fault) => {
                kept.fault.get_or_insert((head, fault));
            }
        }
        while self.bytes() > self.bytes_max {
            let largest = self.streams.values_mut().max_by_key(|kept| kept.bytes);
            match largest.filter(|kept| !kept.rows.is_empty()) {
                Some(kept) => kept.give_up(),
                None => return,
            }
        }
    }

    fn bytes(&self) -> usize {
        self.streams.values().map(|kept| kept.bytes).sum()
    }
}
