//! The declared domain of a column. Days are written YYYY-MM-DD, which is their one form.

use lingqu_policy::{Day, Domain, DomainKind, DomainRefused};

use super::super::FieldInvalid;
use super::super::field::{list, parse, refuse};
use crate::pb;
use crate::pb::domain::Kind;

pub(super) fn from_pb(domain: pb::Domain) -> Result<Domain, FieldInvalid> {
    let built = match domain.kind {
        Some(Kind::Texts(texts)) => Domain::texts(texts.entries),
        Some(Kind::Integers(integers)) => Domain::integers(integers.entries),
        Some(Kind::IntegerEdges(edges)) => Domain::integer_bins(edges.entries),
        Some(Kind::DateEdges(edges)) => {
            Domain::date_bins(list("columns.domain.date_edges", edges.entries, |edge| {
                parse::<Day>("columns.domain.date_edges", &edge)
            })?)
        }
        Some(Kind::Bounds(pb::Bounds { min, max })) => Domain::bounds(min, max),
        None => return refuse("columns.domain", "is of an unknown kind"),
    };
    built.map_err(|refused| FieldInvalid {
        field: "columns.domain",
        reason: match refused {
            DomainRefused::Size => "has too few or too many entries",
            DomainRefused::Order => "is not in ascending order, each entry once",
            DomainRefused::Text => "has an empty, long or unprintable text",
            DomainRefused::Bounds => "has bounds that are not ascending or too large",
        },
    })
}

pub(super) fn to_pb(domain: &Domain) -> pb::Domain {
    let kind = match domain.kind() {
        DomainKind::Texts(texts) => Kind::Texts(pb::TextList {
            entries: texts.clone(),
        }),
        DomainKind::Integers(integers) => Kind::Integers(pb::IntegerList {
            entries: integers.clone(),
        }),
        DomainKind::IntegerBins(edges) => Kind::IntegerEdges(pb::IntegerList {
            entries: edges.clone(),
        }),
        DomainKind::DateBins(edges) => Kind::DateEdges(pb::TextList {
            entries: edges.iter().map(Day::to_string).collect(),
        }),
        DomainKind::Bounds { min, max } => Kind::Bounds(pb::Bounds {
            min: *min,
            max: *max,
        }),
    };
    pb::Domain { kind: Some(kind) }
}
