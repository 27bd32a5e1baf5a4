//! The page as the template sees it: rows of texts and marks.

use askama::Template;
use lingqu_core::grant::Grant;
use lingqu_core::{NodeId, PartyId, Role, Timestamp};
use lingqu_tlog::Checkpoint;

use super::language::{Asked, Language};
use super::words::{self, Mark, Words};
use crate::api::grpc::Services;
use crate::mirror::recent::RecentCall;
use crate::observe::connected;
use crate::registry::Directory;
use crate::registry::overview::{GrantState, Overview};
use crate::store::parties::Party;

/// Seconds after which the page comes again, if it was asked to.
const REFRESH_S: u32 = 10;

/// See the module.
#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Page {
    words: &'static Words,
    language: &'static str,
    other: &'static str,
    refresh_s: Option<u32>,
    style: &'static str,
    viewer: String,
    viewer_roles: String,
    /// Whether the audit page is open to the viewer.
    is_regulator: bool,
    region: String,
    made: String,
    counts: Vec<(&'static str, String)>,
    nodes: Vec<NodeRow>,
    products: Vec<ProductRow>,
    grants: Vec<GrantRow>,
    calls: Vec<CallRow>,
    is_cut: bool,
}

struct NodeRow {
    name: String,
    id: String,
    unit: String,
    region: String,
    state: Mark,
    last_contact: String,
    records: u64,
    /// The root of the newest cosigned checkpoint, shortened, whole, and when the mirror took it.
    head: Option<(String, String, String)>,
}

struct ProductRow {
    title: String,
    id: String,
    version: u32,
    kind: &'static str,
    unit: String,
    node: String,
    state: Mark,
}

struct GrantRow {
    id: String,
    kind: &'static str,
    party: String,
    party_id: String,
    products: Vec<String>,
    scenario: String,
    from: String,
    until: String,
    number: String,
    state: Mark,
}

struct CallRow {
    time: String,
    node: String,
    product: String,
    environment: &'static str,
    outcome: Mark,
    explained: String,
    count: u64,
}

impl Page {
    pub(super) fn new(
        services: &Services,
        viewer: &Party,
        asked: Asked,
        overview: &Overview,
        calls: &[RecentCall],
    ) -> Page {
        let language = asked.language;
        let names = Names(&overview.directory);
        let nodes = nodes(services, language, overview);
        let roles: Vec<&str> = viewer
            .roles
            .iter()
            .map(|role| words::role(language, *role))
            .collect();
        let other = language.other();
        Page {
            words: words::words(language),
            language: language.tag(),
            other: other.tag(),
            refresh_s: asked.refresh.then_some(REFRESH_S),
            style: super::STYLE,
            viewer: named(viewer.id.as_str(), Some(&viewer.display_name)),
            viewer_roles: roles.join(" · "),
            is_regulator: viewer.roles.contains(&Role::Regulator),
            region: viewer.region.to_string(),
            made: to_the_second(overview.now),
            counts: counts(language, overview, &nodes),
            products: products(language, overview, &names),
            grants: grants(language, overview, &names),
            calls: calls
                .iter()
                .map(|call| call_row(language, call, &names))
                .collect(),
            is_cut: overview.is_cut,
            nodes,
        }
    }
}

fn counts(
    language: Language,
    overview: &Overview,
    nodes: &[NodeRow],
) -> Vec<(&'static str, String)> {
    let words = words::words(language);
    let connected = nodes
        .iter()
        .filter(|node| node.state.class == "good")
        .count();
    let in_force = overview
        .grants
        .iter()
        .filter(|grant| grant.state == GrantState::InForce)
        .count();
    let records: u64 = nodes.iter().map(|node| node.records).sum();
    vec![
        (words.nodes, nodes.len().to_string()),
        (words.nodes_connected, connected.to_string()),
        (words.products, overview.products.len().to_string()),
        (words.grants_in_force, in_force.to_string()),
        (words.records, grouped(records)),
        (words.epoch, overview.epoch.number.to_string()),
        (words.revoked, overview.epoch.revoked.len().to_string()),
    ]
}

fn nodes(services: &Services, language: Language, overview: &Overview) -> Vec<NodeRow> {
    let connected = connected(&services.connections);
    let names = Names(&overview.directory);
    let row = |node: &crate::store::nodes::Node| {
        let last = services.last_contact(node);
        let is_connected = connected.contains(&node.id);
        let cosigned = services.mirror.newest_cosigned(&node.origin);
        let head = cosigned.as_ref().and_then(|cosigned| {
            let root = Checkpoint::parse(&cosigned.note.text)
                .ok()?
                .root
                .to_string();
            let short = root.chars().take(12).collect();
            Some((short, root, to_the_second(cosigned.taken)))
        });
        NodeRow {
            name: visible(&node.display_name),
            id: node.id.to_string(),
            unit: names.party(&node.unit),
            region: node.region.to_string(),
            state: words::node_state(language, is_connected, last.is_some()),
            last_contact: last
                .map_or_else(|| words::words(language).never.to_owned(), to_the_second),
            records: cosigned.map_or(0, |cosigned| cosigned.size),
            head,
        }
    };
    overview.nodes.iter().map(row).collect()
}

fn products(language: Language, overview: &Overview, names: &Names<'_>) -> Vec<ProductRow> {
    let row = |fact: &crate::registry::overview::ProductFact| {
        let product = &fact.product;
        let title = match language {
            Language::Chinese => &product.title_zh,
            Language::English => &product.title_en,
        };
        ProductRow {
            title: visible(title),
            id: product.reference.id.to_string(),
            version: product.reference.version,
            kind: words::product_kind(language, product.definition.kind()),
            unit: names.party(&product.unit),
            node: names.node(&product.node),
            state: words::product_state(language, fact.state),
        }
    };
    overview.products.iter().map(row).collect()
}

fn grants(language: Language, overview: &Overview, names: &Names<'_>) -> Vec<GrantRow> {
    let row = |fact: &crate::registry::overview::GrantFact| {
        let grant: &Grant = &fact.grant;
        let products = grant
            .products
            .iter()
            .map(|granted| granted.reference.to_string());
        GrantRow {
            id: grant.id.to_string(),
            kind: words::grant_kind(language, grant.kind),
            party: names.party(&grant.licensee),
            party_id: grant.licensee.to_string(),
            products: products.collect(),
            scenario: visible(&grant.scenario),
            from: to_the_day(grant.not_before),
            until: to_the_day(grant.not_after),
            number: visible(&fact.number),
            state: words::grant_state(language, fact.state),
        }
    };
    overview.grants.iter().map(row).collect()
}

fn call_row(language: Language, call: &RecentCall, names: &Names<'_>) -> CallRow {
    let (outcome, explained) = words::outcome(language, &call.outcome);
    let node = call.node.parse::<NodeId>();
    CallRow {
        time: to_the_second(call.time),
        node: node.map_or_else(|_| visible(&call.node), |node| names.node(&node)),
        product: visible(&call.product),
        environment: words::environment(language, &call.environment),
        outcome,
        explained,
        count: call.count,
    }
}

/// Names for people, by id.
struct Names<'a>(&'a Directory);

impl Names<'_> {
    fn party(&self, id: &PartyId) -> String {
        let party = self.0.parties.get(id);
        named(id.as_str(), party.map(|party| &party.display_name))
    }

    fn node(&self, id: &NodeId) -> String {
        let node = self.0.nodes.get(id);
        named(id.as_str(), node.map(|node| &node.display_name))
    }
}

/// The name for people; the id of whoever has none.
pub(super) fn named(id: &str, name: Option<&String>) -> String {
    match name {
        Some(name) if !name.is_empty() => visible(name),
        Some(_) | None => id.to_owned(),
    }
}

/// A text that somebody else wrote, without what would change how the texts around it are read: control characters and
/// those that turn the direction of writing. Markup is escaped by the template.
pub(super) fn visible(text: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(
                letter,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            )
    };
    text.chars()
        .map(|letter| {
            if is_hidden(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// `2026-11-22 09:42:03` in UTC+8.
pub(super) fn to_the_second(time: Timestamp) -> String {
    local(time)
        .chars()
        .take(19)
        .collect::<String>()
        .replace('T', " ")
}

/// `2026-11-22` in UTC+8.
pub(super) fn to_the_day(time: Timestamp) -> String {
    local(time).chars().take(10).collect()
}

fn local(time: Timestamp) -> String {
    time.plus(std::time::Duration::from_secs(8 * 3_600))
        .to_string()
}

/// A number with a space between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
