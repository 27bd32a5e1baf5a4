//! Which of the verified records somebody wants to see.
//!
//! The feed is always delivered whole: an entry of the log is its own header, and its place in the tree can be proven only
//! with all of its bytes. So it is here, behind the verification, that records are chosen. Nobody can leave a record out
//! by answering a narrower question, and nobody learns from the question what a supervisor is looking for.

use std::collections::BTreeSet;
use std::str::FromStr;

use lingqu_core::record::{Field, Kind, Record, flag};
use lingqu_core::{ErrorCode, NodeId, PartyId};

use super::seen::Seen;

/// See the module. Everything that is given must hold; nothing given takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Records of this unit's nodes. A node that has not said whose it is counts as any unit's.
    pub unit: Option<PartyId>,
    /// Records of these nodes.
    pub nodes: BTreeSet<NodeId>,
    /// Records in which this party or code of an end user called, acted, or was acted upon.
    pub party: Option<String>,
    /// Records of this product.
    pub product: Option<String>,
    /// Records with this purpose.
    pub purpose: Option<String>,
    /// Calls with this outcome.
    pub outcome: Option<Outcome>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It was refused or failed with this code.
    Code(ErrorCode),
    /// It failed after data was touched.
    Failed,
    /// It was refused.
    Refused,
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "answered" => Ok(Outcome::Answered),
            "failed" => Ok(Outcome::Failed),
            "refused" => Ok(Outcome::Refused),
            code => code.parse().map(Outcome::Code).map_err(|_| {
                "expected `answered`, `refused`, `failed` or a code such as `GRANT_EXPIRED`"
                    .to_owned()
            }),
        }
    }
}

impl Selection {
    /// Whether it takes every record.
    pub fn is_everything(&self) -> bool {
        *self == Selection::default()
    }

    /// Whether it takes a verified record of the stream `origin`.
    pub fn takes(&self, seen: &Seen, origin: &str, record: &Record) -> bool {
        let clear = &record.draft.clear;
        let is = |wanted: &Option<String>, field| {
            let there = clear.get_text(field);
            wanted.as_deref().is_none_or(|wanted| there == Some(wanted))
        };
        let unit = match (&self.unit, seen.unit_of(origin)) {
            (Some(wanted), Some(unit)) => wanted == unit,
            // Whoever does not say whose it is must not escape by that.
            (Some(_), None) => node_of(origin).is_some(),
            (None, _) => true,
        };
        let node =
            self.nodes.is_empty() || node_of(origin).is_some_and(|node| self.nodes.contains(&node));
        let party = self.party.as_deref().is_none_or(|wanted| {
            [Field::Caller, Field::EndUser, Field::Actor, Field::Subject]
                .into_iter()
                .any(|field| clear.get_text(field) == Some(wanted))
        });
        unit && node
            && party
            && is(&self.product, Field::Product)
            && is(&self.purpose, Field::Purpose)
            && self.outcome.is_none_or(|outcome| outcome.is_of(record))
    }
}

impl Outcome {
    fn is_of(self, record: &Record) -> bool {
        let draft = &record.draft;
        let is_call = matches!(draft.kind, Kind::Call | Kind::Denials);
        let is_refused = draft.kind == Kind::Denials || draft.flags & flag::REFUSED != 0;
        let is_failed = draft.flags & flag::ERROR != 0;
        is_call
            && match self {
                Outcome::Answered => !is_refused && !is_failed,
                Outcome::Failed => is_failed && !is_refused,
                Outcome::Refused => is_refused,
                Outcome::Code(code) => draft.clear.get_text(Field::Outcome) == Some(code.as_str()),
            }
    }
}

/// The node whose stream this is: `…/s/<name>/<region>/<half-year>`.
fn node_of(origin: &str) -> Option<NodeId> {
    let mut parts = origin.rsplit('/').skip(2);
    let (name, kind) = (parts.next()?, parts.next()?);
    (kind == "s").then(|| format!("node_{name}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use lingqu_core::Timestamp;
    use lingqu_core::record::{Clear, Draft, StreamId};
    use lingqu_tlog::Intl;

    use super::*;

    const ORIGIN: &str = "c.example/s/gx.n/4501/2026h2";

    fn record(kind: Kind, flags: u16, outcome: &str) -> Record {
        let mut draft = Draft::new(kind);
        draft.flags = flags;
        draft.clear = Clear::default()
            .text(Field::Caller, "party_bank")
            .text(Field::EndUser, "91450100MA5K00000B")
            .text(Field::Product, "u.person")
            .text(Field::Purpose, "KYC")
            .text(Field::Outcome, outcome);
        draft.at(StreamId::of::<Intl>(ORIGIN), 0, Timestamp(1))
    }

    #[test]
    fn each_part_chooses_and_all_must_hold() {
        let answered = record(Kind::Call, 0, "ANSWERED");
        let text = |text: &str| Some(text.to_owned());
        let node = |id: &str| BTreeSet::from([id.parse().unwrap()]);
        let everything = Selection::default();
        for (selection, expected) in [
            (everything.clone(), true),
            (
                Selection {
                    party: text("party_bank"),
                    ..everything.clone()
                },
                true,
            ),
            (
                Selection {
                    party: text("91450100MA5K00000B"),
                    ..everything.clone()
                },
                true,
            ),
            (
                Selection {
                    party: text("party_ban"),
                    ..everything.clone()
                },
                false,
            ),
            (
                Selection {
                    product: text("u.person"),
                    purpose: text("KYC"),
                    ..everything.clone()
                },
                true,
            ),
            (
                Selection {
                    product: text("u.person"),
                    purpose: text("LOAN"),
                    ..everything.clone()
                },
                false,
            ),
            (
                Selection {
                    nodes: node("node_gx.n"),
                    ..everything.clone()
                },
                true,
            ),
            (
                Selection {
                    nodes: node("node_n"),
                    ..everything.clone()
                },
                false,
            ),
            (
                Selection {
                    outcome: Some(Outcome::Answered),
                    ..everything.clone()
                },
                true,
            ),
            (
                Selection {
                    outcome: Some(Outcome::Refused),
                    ..everything.clone()
                },
                false,
            ),
        ] {
            assert_eq!(
                selection.takes(&Seen::default(), ORIGIN, &answered),
                expected,
                "{selection:?}"
            );
        }
    }

    #[test]
    fn outcomes_are_told_apart() {
        let expired: Outcome = "GRANT_EXPIRED".parse().unwrap();
        let words = ["answered", "failed", "refused"].map(|word| word.parse::<Outcome>().unwrap());
        for (record, expected) in [
            (
                record(Kind::Call, 0, "ANSWERED"),
                [true, false, false, false],
            ),
            (
                record(Kind::Call, flag::ERROR, "EVALUATION_FAILED"),
                [false, true, false, false],
            ),
            (
                record(Kind::Denials, flag::REFUSED, "GRANT_EXPIRED"),
                [false, false, true, true],
            ),
            (
                record(Kind::Denials, 0, "STOPPED"),
                [false, false, true, false],
            ),
            (record(Kind::Control, 0, ""), [false; 4]),
        ] {
            let [answered, failed, refused] = words;
            let found = [answered, failed, refused, expired].map(|outcome| outcome.is_of(&record));
            assert_eq!(found, expected, "{record:?}");
        }
        assert!("GRANT_FORGOTTEN".parse::<Outcome>().is_err());
    }

    /// A node that keeps quiet about whose it is is seen by whoever asks for any unit.
    #[test]
    fn a_unit_is_what_its_node_says_and_silence_hides_nothing() {
        let record = record(Kind::Call, 0, "ANSWERED");
        let of = |unit: &str| Selection {
            unit: Some(unit.parse().unwrap()),
            ..Selection::default()
        };
        let mut seen = Seen::default();
        assert!(of("party_a").takes(&seen, ORIGIN, &record));
        assert!(!of("party_a").takes(&seen, "c.example/c/gx/45/2026h2", &record));
        seen.units
            .insert(ORIGIN.to_owned(), "party_b".parse().unwrap());
        assert!(!of("party_a").takes(&seen, ORIGIN, &record));
        assert!(of("party_b").takes(&seen, ORIGIN, &record));
    }
}
