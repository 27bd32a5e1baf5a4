//! Joins: each other table hangs on columns of the protected table, and on nothing else. A public table hangs on columns
//! that are open for it, another protected table on the entity, where both policies name the same id space.

use arrow_schema::DataType;
use lingqu_policy::Use;

use super::{Checker, Joined};
use crate::infer::Origin;
use crate::rule::{Rule, TemplateRefused, refuse};
use crate::safeguard::{Safeguard, stands};
use crate::tables::{is_integer, is_text};

/// Most joined tables.
const JOINS_MAX: usize = 8;

impl Checker<'_> {
    pub(super) fn joins(&self, protected: usize) -> Result<Vec<Joined>, TemplateRefused> {
        let mut joins: Vec<Joined> = (0..self.reading.scans.len())
            .filter(|scan| *scan != protected)
            .map(|scan| Joined {
                scan,
                outer: self.reading.outer.contains(&scan),
                on: Vec::new(),
            })
            .collect();
        if joins.len() > JOINS_MAX {
            return refuse(Rule::JoinForm, "JOIN");
        }
        for (one, other) in &self.reading.equalities {
            let (mine, public) = if one.scan == protected {
                (*one, *other)
            } else {
                (*other, *one)
            };
            if mine.scan != protected || public.scan == protected {
                return self.refuse(Rule::JoinForm, public);
            }
            if self.is_public(public.scan) {
                self.key(mine, public)?;
            } else {
                self.entity_key(mine, public)?;
            }
            let join = joins.iter_mut().find(|join| join.scan == public.scan);
            let join = join.ok_or_else(|| TemplateRefused::bare(Rule::JoinForm))?;
            join.on.push((mine.column, public.column));
        }
        match joins.iter().find(|join| join.on.is_empty()) {
            Some(cross) => refuse(Rule::JoinForm, self.table(cross.scan).name.as_str()),
            None => Ok(joins),
        }
    }

    /// Two tables about the same entities are one table about them, under the strictest of both policies. Any other way
    /// to join them would tell which entities have what in common.
    fn entity_key(&self, mine: Origin, other: Origin) -> Result<(), TemplateRefused> {
        let (left, right) = (self.table(mine.scan), self.table(other.scan));
        let keys = left.entity()? == mine.column && right.entity()? == other.column;
        let spaces = (
            left.policy.space(left.column(mine.column)),
            right.policy.space(right.column(other.column)),
        );
        let same = matches!(spaces, (Some(left), Some(right)) if left == right);
        let types = (left.data_type(mine.column), right.data_type(other.column));
        let open = (keys && same) || !stands(Safeguard::SecondTable);
        if open && comparable(types.0, types.1) {
            Ok(())
        } else {
            refuse(Rule::ProtectedTable, right.name.as_str())
        }
    }

    /// A join selects rows and opens attributes of the key, so the key must be open for both. It is never the entity:
    /// a public table about entities could single them out.
    fn key(&self, mine: Origin, public: Origin) -> Result<(), TemplateRefused> {
        let table = self.table(mine.scan);
        let open = table.allows(mine.column, Use::Group)
            && table.allows(mine.column, Use::Filter)
            && !self.is_entity(mine);
        if !open && stands(Safeguard::JoinKey) {
            return self.refuse(Rule::JoinKey, mine);
        }
        let (left, right) = (
            table.data_type(mine.column),
            self.table(public.scan).data_type(public.column),
        );
        if comparable(left, right) {
            Ok(())
        } else {
            self.refuse(Rule::JoinKey, mine)
        }
    }
}

fn comparable(left: &DataType, right: &DataType) -> bool {
    (is_text(left) && is_text(right))
        || (is_integer(left) && is_integer(right))
        || (*left == DataType::Date32 && *right == DataType::Date32)
}
