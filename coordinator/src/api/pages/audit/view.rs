//! The audit page as the template sees it: rows of texts and marks.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use lingqu_core::{CallId, ErrorCode, NodeId, Region, Timestamp};
use lingqu_tlog::Hash;

use super::super::language::Language;
use super::super::view::{grouped, named, to_the_second, visible};
use super::super::words::{self as shared, Mark, pick};
use super::super::{Pages, query};
use super::asked::{cursor_text, form_time};
use super::chart::{Part, svg};
use super::states::{Names, States};
use super::words::{self, SpanState, Words};
use super::{Question, STYLE};
use crate::api::grpc::Services;
use crate::audit::search::{Findings, Found};
use crate::audit::window::{Class, Name};
use crate::mirror::headlog::{HeadPlace, Leaf};
use crate::refusal::Refusal;
use crate::registry::Directory;

/// Seconds after which the page comes again, if it was asked to.
const REFRESH_S: u32 = 10;
/// Spans that are listed.
const SPANS_MAX: usize = 12;

/// See the module.
#[derive(Template)]
#[template(path = "audit.html")]
pub(super) struct Page {
    words: &'static Words,
    language: &'static str,
    other: &'static str,
    other_link: String,
    refresh_link: String,
    refresh_s: Option<u32>,
    style: &'static str,
    viewer: String,
    viewer_roles: String,
    region: String,
    made: String,
    form: Form,
    counts: Vec<(&'static str, String, &'static str)>,
    bar: String,
    chart_calls: String,
    chart_refused: String,
    rows: Vec<RowView>,
    receipts_link: String,
    older_link: Option<String>,
    newest_link: Option<String>,
    is_cut: bool,
    streams: Vec<StreamView>,
    spans: Vec<SpanView>,
}

/// The form: what is chosen and what can be.
struct Form {
    region: String,
    units: Vec<Choice>,
    parties: Vec<Choice>,
    products: Vec<Choice>,
    purposes: Vec<Choice>,
    outcomes: Vec<Choice>,
    kinds: Vec<Choice>,
    from: String,
    until: String,
}

struct Choice {
    value: String,
    word: String,
    chosen: bool,
}

struct RowView {
    time: String,
    node: String,
    call: String,
    who: String,
    who_id: String,
    what: String,
    about: String,
    environment: &'static str,
    mark: Mark,
    explained: String,
    count: u64,
    units: String,
    span: u64,
    region: String,
    state: Mark,
    receipt_link: String,
}

struct StreamView {
    name: String,
    origin: String,
    unit: String,
    region: String,
    checked: String,
    mirrored: String,
    state: Mark,
    explained: String,
    /// What follows it; empty while it has not ended.
    ended: String,
}

struct SpanView {
    region: String,
    head: u64,
    name: String,
    first: String,
    last: String,
    root: Option<(String, String)>,
    mirrored: String,
    state: Mark,
}

/// One of the newest spans, as the log has it.
pub(super) struct Span {
    region: Region,
    head: u64,
    origin: String,
    first: u64,
    size: u64,
    /// The signed root and when the mirror took it, if the leaf could be read.
    signed: Option<(Hash, Timestamp)>,
}

impl Pages {
    /// The newest spans of the region that is looked at, over all its head logs.
    pub(super) async fn spans(&self, question: &Question) -> Result<Vec<Span>, Refusal> {
        let mirror = &self.services.mirror;
        let mut heads = Vec::new();
        {
            let state = mirror.shared.state();
            let logs = state.logs.values();
            for log in logs.filter(|log| question.region().covers(&log.region)) {
                // Those that are kept apart from the log are older than all that are not.
                let frame = |at| match log.head(at) {
                    Some(HeadPlace::Recent(head)) => head.location,
                    Some(HeadPlace::Kept(_)) | None => None,
                };
                let newest = (0..log.size()).rev().take(SPANS_MAX);
                heads.extend(newest.map(|at| (frame(at), at, log.region.clone())));
            }
        }
        // The frames of the log are numbered in the order in which they became durable.
        heads.sort_by(|one, other| other.cmp(one));
        heads.truncate(SPANS_MAX);
        let spans = mirror.read(move |archive| {
            let read = heads.into_iter().map(|(_, at, region)| {
                let head = archive.head(&region, at)?;
                let leaf = archive.leaf(&region, at)?;
                let leaf = Leaf::decode(&leaf);
                Ok(Span {
                    region,
                    head: at,
                    origin: head.origin,
                    first: head.first,
                    size: head.size,
                    signed: leaf.map(|leaf| (leaf.checkpoint.root, leaf.received)),
                })
            });
            read.collect()
        });
        Ok(spans.await?)
    }
}

impl Page {
    pub(super) fn new(
        services: &Services,
        directory: &Arc<Directory>,
        question: &Question,
        findings: &Findings,
        spans: &[Span],
    ) -> Page {
        let language = question.manner.language;
        let words = words::words(language);
        let names = Names(directory);
        let states = States { services };
        let (viewer, other) = (&question.viewer, language.other());
        let roles: Vec<&str> = viewer
            .roles
            .iter()
            .map(|role| shared::role(language, *role))
            .collect();
        let links = Links { question };
        let streams = streams(&states, language, question, &names);
        let calls = [
            part("answered", words.answered_word, 0),
            part("failed", words.failed_word, 1),
        ];
        Page {
            words,
            language: language.tag(),
            other: other.tag(),
            other_link: links.to(other, question.manner.refresh, links.place()),
            refresh_link: links.to(language, !question.manner.refresh, links.place()),
            refresh_s: question.manner.refresh.then_some(REFRESH_S),
            style: STYLE,
            viewer: named(viewer.id.as_str(), Some(&viewer.display_name)),
            viewer_roles: roles.join(" · "),
            region: question.region().to_string(),
            made: to_the_second(services.registry.now()),
            form: Form::new(language, question, findings, directory, &names),
            counts: counts(&states, language, question, findings),
            bar: words::length(language, findings.bars.length_s.max(1)),
            chart_calls: svg(&findings.bars, &calls, words.chart_calls),
            chart_refused: svg(
                &findings.bars,
                &[part("refused", words.refused_word, 2)],
                words.chart_refused,
            ),
            rows: rows(&states, language, findings, &names),
            receipts_link: links.receipts(),
            older_link: findings
                .next
                .map(|next| links.to(language, false, cursor_text(next))),
            newest_link: question
                .asked
                .before
                .map(|_| links.to(language, question.manner.refresh, String::new())),
            is_cut: findings.is_cut,
            streams,
            spans: spans
                .iter()
                .map(|span| span_view(&states, language, span, &names))
                .collect(),
        }
    }
}

fn part(class: &'static str, word: &'static str, column: usize) -> Part {
    Part {
        class,
        word,
        column,
    }
}

/// Addresses of this page with other words or places, and of its downloads.
struct Links<'a> {
    question: &'a Question,
}

impl Links<'_> {
    fn place(&self) -> String {
        self.question
            .asked
            .before
            .map(cursor_text)
            .unwrap_or_default()
    }

    fn to(&self, language: Language, refresh: bool, before: String) -> String {
        let refresh = if refresh { "1" } else { "" };
        let manner = [
            ("lang", language.tag().to_owned()),
            ("refresh", refresh.to_owned()),
            ("before", before),
        ];
        query::of(self.question.asked.pairs().into_iter().chain(manner))
    }

    fn receipts(&self) -> String {
        let pairs = self.question.asked.pairs().into_iter();
        let query = query::of(pairs.chain([("before", self.place())]));
        format!("{}{query}", lingqu_proto::access::AUDIT_RECEIPTS)
    }
}

impl Form {
    fn new(
        language: Language,
        question: &Question,
        findings: &Findings,
        directory: &Arc<Directory>,
        names: &Names<'_>,
    ) -> Form {
        let (asked, choices) = (&question.asked, &findings.choices);
        let owners = choices.owners.iter();
        let nodes = owners.filter_map(|owner| owner.parse::<NodeId>().ok());
        let units = nodes.filter_map(|node| directory.nodes.get(&node));
        let units: BTreeSet<&str> = units.map(|node| node.unit.as_str()).collect();
        let party = |id: &str| names.party_of(id);
        let filter = &asked.filter;
        let classes = [Class::Answered, Class::Refused, Class::Failed].map(|class| match class {
            Class::Answered => ("answered", class),
            Class::Failed => ("failed", class),
            Class::Refused | Class::Act => ("refused", class),
        });
        let chosen = asked.outcome();
        let mut outcomes: Vec<Choice> = classes
            .into_iter()
            .map(|(value, class)| choice(value, words::class(language, class).word, &chosen))
            .collect();
        let codes = choices
            .outcomes
            .iter()
            .filter(|word| word.parse::<ErrorCode>().is_ok());
        outcomes.extend(codes.map(|code| choice(code, code, &chosen)));
        let words = words::words(language);
        let kinds = [
            ("", words.kinds_calls),
            ("acts", words.kinds_acts),
            ("all", words.kinds_all),
        ];
        Form {
            region: asked
                .region
                .as_ref()
                .map(Region::to_string)
                .unwrap_or_default(),
            units: offered(units.into_iter(), asked.unit.as_deref(), party),
            parties: offered(texts(&choices.parties), filter.party.as_deref(), party),
            products: offered(texts(&choices.products), filter.product.as_deref(), visible),
            purposes: offered(texts(&choices.purposes), filter.purpose.as_deref(), visible),
            outcomes,
            kinds: kinds
                .into_iter()
                .map(|(value, word)| choice(value, word, asked.kinds()))
                .collect(),
            from: filter.from.map(form_time).unwrap_or_default(),
            until: filter.until.map(form_time).unwrap_or_default(),
        }
    }
}

fn texts(names: &BTreeSet<Name>) -> impl Iterator<Item = &str> {
    names.iter().map(|name| &**name)
}

fn choice(value: &str, word: &str, chosen: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        word: word.to_owned(),
        chosen: value == chosen,
    }
}

/// What can be chosen, and what is chosen even if it does not occur. A value with signs that must not be shown cannot be
/// chosen: what came back would be another one.
fn offered<'a>(
    values: impl Iterator<Item = &'a str>,
    chosen: Option<&'a str>,
    word: impl Fn(&str) -> String,
) -> Vec<Choice> {
    let shown = |value: &&str| visible(value) == **value;
    let values: BTreeSet<&str> = values.chain(chosen).filter(shown).collect();
    let of = |value: &str| choice(value, &word(value), chosen.unwrap_or_default());
    values.into_iter().map(of).collect()
}

fn counts(
    states: &States<'_>,
    language: Language,
    question: &Question,
    findings: &Findings,
) -> Vec<(&'static str, String, &'static str)> {
    let words = words::words(language);
    let total = |class| grouped(findings.totals.get(&class).copied().unwrap_or(0));
    let (checked, waiting, is_bad) = states.spans_of(question.region());
    vec![
        (words.records, grouped(findings.records), ""),
        (words.answered, total(Class::Answered), ""),
        (words.refused, total(Class::Refused), ""),
        (words.failed, total(Class::Failed), ""),
        (words.acts, total(Class::Act), ""),
        (
            words.spans_checked,
            grouped(checked),
            if is_bad { "bad" } else { "good" },
        ),
        (words.spans_waiting, grouped(waiting), ""),
    ]
}

fn rows(
    states: &States<'_>,
    language: Language,
    findings: &Findings,
    names: &Names<'_>,
) -> Vec<RowView> {
    let text = |name: &Option<Name>| name.as_deref().map(visible).unwrap_or_default();
    let row = |found: &Found| {
        let row = &found.row;
        let who = row.caller.as_ref().or(row.actor.as_ref());
        let (mark, explained) = outcome(language, found);
        let link = query::of([
            ("stream", found.origin.clone()),
            ("head", row.head.to_string()),
            ("index", row.index.to_string()),
        ]);
        RowView {
            time: to_the_second(row.time),
            node: names.owner(&found.owner),
            call: if row.call == CallId::NONE {
                String::new()
            } else {
                row.call.to_string()
            },
            who: who.map(|id| names.party_of(id)).unwrap_or_default(),
            who_id: joined([who, row.grant.as_ref(), row.end_user.as_ref()]),
            what: text(&row.product),
            about: if row.class == Class::Act {
                joined([row.subject.as_ref(), None, None])
            } else {
                joined([row.purpose.as_ref(), row.scenario.as_ref(), None])
            },
            environment: shared::environment(language, row.environment.as_deref().unwrap_or("")),
            mark,
            explained,
            count: row.count,
            units: if row.class == Class::Act {
                String::new()
            } else {
                grouped(row.units)
            },
            span: row.head,
            region: found.region.to_string(),
            state: words::span_state(
                language,
                states.span(&found.region, row.head, &found.origin),
            ),
            receipt_link: format!("{}{link}", lingqu_proto::access::AUDIT_RECEIPT),
        }
    };
    findings.rows.iter().map(row).collect()
}

fn joined(names: [Option<&Name>; 3]) -> String {
    let names: Vec<String> = names
        .into_iter()
        .flatten()
        .map(|name| visible(name))
        .collect();
    names.join(" · ")
}

/// What became of it: a code stays the same in every language, and is explained.
fn outcome(language: Language, found: &Found) -> (Mark, String) {
    let row = &found.row;
    let mark = words::class(language, row.class);
    let explained = match (row.class, row.outcome.as_deref()) {
        (Class::Act, _) => {
            let action = row.action.as_deref().map(visible);
            action.unwrap_or_else(|| row.kind.name().to_owned())
        }
        (_, Some(word)) => match word.parse::<ErrorCode>() {
            Ok(code) => {
                let words = pick(language, code.message_zh(), code.message_en());
                format!("{code} · {words}")
            }
            Err(_) => String::new(),
        },
        (_, None) => String::new(),
    };
    (mark, explained)
}

fn streams(
    states: &States<'_>,
    language: Language,
    question: &Question,
    names: &Names<'_>,
) -> Vec<StreamView> {
    let services = states.services;
    let all = services.mirror.shared.streams();
    let here = all
        .iter()
        .filter(|stream| question.region().covers(&stream.region));
    let view = |stream: &Arc<crate::mirror::streams::Stream>| {
        let mirrored = services.mirror.size(&stream.origin);
        let (checked, fault) = {
            let window = services.auditor.window();
            let kept = window.streams.get(&stream.origin);
            let checked = kept.map_or(0, |kept| kept.tree.size());
            (checked, kept.and_then(|kept| kept.fault))
        };
        let state = match fault {
            Some((_, fault)) => SpanState::Faulty(fault),
            None if states.is_contradicted(&stream.region) => SpanState::Contradicted,
            None if checked == mirrored => SpanState::Checked,
            None => SpanState::Waiting,
        };
        StreamView {
            name: names.owner(&stream.owner),
            origin: visible(&stream.origin),
            unit: names.unit_of(&stream.owner),
            region: stream.region.to_string(),
            checked: grouped(checked),
            mirrored: grouped(mirrored),
            state: words::span_state(language, state),
            explained: fault.map_or(String::new(), |(head, fault)| {
                format!("#{head}: {}", words::fault(language, fault))
            }),
            ended: services
                .mirror
                .shared
                .next_of(&stream.origin)
                .map_or(String::new(), |next| {
                    words::ended(language, &visible(&next.origin))
                }),
        }
    };
    here.take(services.mirror.limits.console_rows_max)
        .map(view)
        .collect()
}

fn span_view(states: &States<'_>, language: Language, span: &Span, names: &Names<'_>) -> SpanView {
    let stream = states.services.mirror.shared.stream(&span.origin);
    let owner = stream.map(|stream| stream.owner.clone());
    let root = span.signed.map(|(root, _)| {
        let root = root.to_string();
        (root.chars().take(12).collect(), root)
    });
    SpanView {
        region: span.region.to_string(),
        head: span.head,
        name: owner.map(|owner| names.owner(&owner)).unwrap_or_default(),
        first: grouped(span.first),
        last: grouped(span.size.saturating_sub(1)),
        root,
        mirrored: span
            .signed
            .map_or(String::new(), |(_, time)| to_the_second(time)),
        state: words::span_state(language, states.span(&span.region, span.head, &span.origin)),
    }
}
