//! Joins: each public table hangs on columns of the protected table, and on nothing else.

use arrow_schema::DataType;
use lingqu_policy::Use;

use super::{Checker, Joined};
use crate::infer::Origin;
use crate::rule::{Rule, TemplateRefused, refuse};
use crate::tables::{is_integer, is_text};

/// Most joined tables.
const JOINS_MAX: usize = 8;

impl Checker<'_> {
    pub(super) fn joins(&self, protected: usize) -> Result<Vec<Joined>, TemplateRefused> {
        let mut joins: Vec<Joined> = (0..self.reading.scans.len())
            .filter(|scan| *scan != protected)
            .map(|scan| Joined {
                scan,
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
            self.key(mine, public)?;
            let join = joins.iter_mut().find(|join| join.scan == public.scan);
            let join = join.ok_or_else(|| TemplateRefused::bare(Rule::JoinForm))?;
            join.on.push((mine.column, public.column));
        }
        match joins.iter().find(|join| join.on.is_empty()) {
            Some(cross) => refuse(Rule::JoinForm, self.table(cross.scan).name.as_str()),
            None => Ok(joins),
        }
    }

    /// A join selects rows and opens attributes of the key, so the key must be open for both. It is never the entity:
    /// a public table about entities could single them out.
    fn key(&self, mine: Origin, public: Origin) -> Result<(), TemplateRefused> {
        let table = self.table(mine.scan);
        let open = table.allows(mine.column, Use::Group)
            && table.allows(mine.column, Use::Filter)
            && table.entity()? != mine.column;
        if !open {
            return self.refuse(Rule::JoinKey, mine);
        }
        let (left, right) = (
            table.data_type(mine.column),
            self.table(public.scan).data_type(public.column),
        );
        let comparable = (is_text(left) && is_text(right))
            || (is_integer(left) && is_integer(right))
            || (*left == DataType::Date32 && *right == DataType::Date32);
        if comparable {
            Ok(())
        } else {
            self.refuse(Rule::JoinKey, mine)
        }
    }
}
