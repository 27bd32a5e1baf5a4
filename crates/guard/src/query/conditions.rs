//! Conditions: each comparison is of a column with values or edges that the unit declared, and nothing between them.

use std::collections::BTreeSet;

use datafusion::scalar::ScalarValue;
use lingqu_policy::{Day, Domain, DomainKind, Use};

use super::{Atom, Bindable, Checker, Joined};
use crate::infer::{Condition, Operand, Origin, Test, Tree};
use crate::partition::{after, edge_index, is_value};
use crate::rule::{Rule, TemplateRefused, refuse};
use crate::safeguard::{Safeguard, stands};
use crate::shape::is_lower_name;
use crate::value::{Allowed, Parameter, ParameterKind, Value};

/// Most conditions of a statement, and most values that one compares with.
const CONDITIONS_MAX: usize = 64;
const VALUES_MAX: usize = 1_024;

/// What a statement takes.
pub(super) struct Taken {
    /// Comparisons all of which hold.
    pub(super) atoms: Vec<Atom<Bindable>>,
    /// Of each of these comparisons decide together.
    pub(super) choices: Vec<Tree<Atom<Bindable>>>,
}

impl Checker<'_> {
    pub(super) fn taken(
        &self,
        protected: usize,
        joins: &[Joined],
        parameters: &[Parameter],
    ) -> Result<Taken, TemplateRefused> {
        let conditions = &self.reading.conditions;
        if conditions.iter().flat_map(Tree::leaves).count() > CONDITIONS_MAX {
            return refuse(Rule::SqlLong, "WHERE");
        }
        let mut taken = Taken {
            atoms: Vec::new(),
            choices: Vec::new(),
        };
        for condition in conditions {
            let grown = condition.try_grow(&|Condition { origin, test }| {
                self.may_select(*origin, protected, joins)?;
                let on = Compared {
                    column: self.name(*origin),
                    domain: self.domain(*origin)?,
                    parameters,
                };
                let origin = *origin;
                let atom = |test: &Test<Bindable>| Atom {
                    origin,
                    test: test.clone(),
                };
                Ok(on.tests(test)?.map(&atom))
            })?;
            for part in grown.conjuncts() {
                match part {
                    Tree::One(atom) => taken.atoms.push(atom),
                    several => taken.choices.push(several),
                }
            }
        }
        Ok(taken)
    }

    /// A condition on a public table selects rows of the protected one through the join keys.
    fn may_select(
        &self,
        origin: Origin,
        protected: usize,
        joins: &[Joined],
    ) -> Result<(), TemplateRefused> {
        let open = self.table(origin.scan).allows(origin.column, Use::Filter);
        let open = open && !self.is_entity(origin);
        let joined = origin.scan == protected || joins.iter().any(|join| join.scan == origin.scan);
        if (open || !stands(Safeguard::FilterUse)) && joined {
            Ok(())
        } else {
            self.refuse(Rule::FilterUse, origin)
        }
    }
}

/// Declared names are well-formed, stand once, and are exactly those of the text.
pub(crate) fn check_parameters(
    parameters: &[Parameter],
    placeholders: &BTreeSet<String>,
) -> Result<(), TemplateRefused> {
    let mut declared = BTreeSet::new();
    for parameter in parameters {
        let name = parameter.name.as_str();
        if !is_lower_name(name) {
            return Err(TemplateRefused::bare(Rule::Parameter));
        }
        let values = parameter.allowed.list();
        let once: BTreeSet<_> = values.iter().collect();
        let well_formed = !values.is_empty() && once.len() == values.len();
        if !declared.insert(name) || !placeholders.contains(name) || !well_formed {
            return refuse(Rule::Parameter, name);
        }
    }
    match placeholders
        .iter()
        .find(|name| !declared.contains(name.as_str()))
    {
        Some(undeclared) => refuse(Rule::Parameter, undeclared.as_str()),
        None => Ok(()),
    }
}

/// The column of one condition.
pub(super) struct Compared<'a> {
    pub(super) column: &'a str,
    pub(super) domain: &'a Domain,
    pub(super) parameters: &'a [Parameter],
}

impl Compared<'_> {
    /// The comparison with declared values and edges, on which every place of the domain lies on one side. A range of
    /// bins is two comparisons.
    pub(super) fn tests(
        &self,
        test: &Test<Operand>,
    ) -> Result<Tree<Test<Bindable>>, TemplateRefused> {
        let all = |values: &Vec<Operand>| {
            if values.is_empty() || values.len() > VALUES_MAX {
                return refuse(Rule::ConditionForm, self.column);
            }
            values.iter().map(|value| self.value(value)).collect()
        };
        let ends = |numbers: &[i64], low, high| {
            let (low, high) = (self.value(low)?, self.value(high)?);
            self.unbroken(numbers, [&low, &high])?;
            Ok((low, high))
        };
        Ok(Tree::One(match (test, self.domain.kind()) {
            (Test::Above(value), _) => Test::Above(self.last(value)?),
            (Test::Among(values), _) => Test::Among(all(values)?),
            (Test::AtLeast(edge), _) => Test::AtLeast(self.edge(edge)?),
            (Test::AtMost(value), _) => Test::AtMost(self.last(value)?),
            (Test::Below(edge), _) => Test::Below(self.edge(edge)?),
            (Test::Between(low, high), DomainKind::Integers(numbers)) => {
                let (low, high) = ends(numbers, low, high)?;
                Test::Between(low, high)
            }
            (Test::Between(low, high), _) => {
                let ends = [
                    Test::AtLeast(self.edge(low)?),
                    Test::AtMost(self.last(high)?),
                ];
                return Ok(Tree::All(ends.map(Tree::One).into()));
            }
            (Test::NotAmong(values), _) => Test::NotAmong(all(values)?),
            (Test::Outside(low, high), DomainKind::Integers(numbers)) => {
                let (low, high) = ends(numbers, low, high)?;
                Test::Outside(low, high)
            }
            (Test::Outside(low, high), _) => {
                let ends = [Test::Below(self.edge(low)?), Test::Above(self.last(high)?)];
                return Ok(Tree::Any(ends.map(Tree::One).into()));
            }
        }))
    }

    /// A value that the domain lists, or that is all that a bin holds.
    fn value(&self, operand: &Operand) -> Result<Bindable, TemplateRefused> {
        let listed = |value: &ScalarValue| is_value(self.domain, value);
        self.operand(operand, listed, |allowed| {
            matches!(allowed, Allowed::Values(_))
        })
    }

    /// An edge of the domain's bins.
    fn edge(&self, operand: &Operand) -> Result<Bindable, TemplateRefused> {
        let listed = |value: &ScalarValue| edge_index(self.domain, value).is_some();
        self.operand(operand, listed, |allowed| {
            matches!(allowed, Allowed::Edges(_))
        })
    }

    /// The last whole number or day before an edge.
    fn last(&self, operand: &Operand) -> Result<Bindable, TemplateRefused> {
        let listed = |value: &ScalarValue| after(self.domain, value).is_some();
        self.operand(operand, listed, |allowed| {
            matches!(allowed, Allowed::Edges(_))
        })
    }

    /// Between two numbers lie only declared ones: what nobody declared is one group, which no range divides.
    fn unbroken(&self, numbers: &[i64], ends: [&Bindable; 2]) -> Result<(), TemplateRefused> {
        let mut ends = ends.into_iter().flat_map(|end| self.integers(end));
        let Some(first) = ends.next() else {
            return refuse(Rule::DomainValue, self.column);
        };
        let (low, high) = ends.fold((first, first), |(low, high), end| {
            (low.min(end), high.max(end))
        });
        let declared = numbers
            .iter()
            .filter(|number| (low..=high).contains(*number));
        // Both are declared, so that the difference is small.
        if i64::try_from(declared.count()) == Ok(high - low + 1)
            || !stands(Safeguard::ConditionsDeclared)
        {
            Ok(())
        } else {
            refuse(Rule::DomainValue, self.column)
        }
    }

    /// Every number that it may be.
    fn integers(&self, value: &Bindable) -> Vec<i64> {
        match value {
            Bindable::Fixed(ScalarValue::Int64(Some(number))) => vec![*number],
            Bindable::Fixed(_) => Vec::new(),
            Bindable::Parameter(index) => { self.parameters[*index].allowed.list().iter() }
                .filter_map(|value| match value {
                    Value::Integer(number) => Some(*number),
                    Value::Text(_) => None,
                })
                .collect(),
        }
    }

    fn operand(
        &self,
        operand: &Operand,
        listed: impl Fn(&ScalarValue) -> bool,
        fitting: impl Fn(&Allowed) -> bool,
    ) -> Result<Bindable, TemplateRefused> {
        match operand {
            Operand::Literal(value) => match self.literal(value) {
                Some(value) if listed(&value) || !stands(Safeguard::ConditionsDeclared) => {
                    Ok(Bindable::Fixed(value))
                }
                _ => refuse(Rule::DomainValue, self.column),
            },
            Operand::Placeholder(name) => {
                let index = self.parameters.iter().position(|p| p.name == *name);
                let Some(index) = index else {
                    return refuse(Rule::Parameter, name.as_str());
                };
                let Parameter { kind, allowed, .. } = &self.parameters[index];
                let inside = allowed
                    .list()
                    .iter()
                    .all(|value| value.scalar(*kind).is_some_and(|value| listed(&value)));
                if *kind == self.kind() && fitting(allowed) && inside {
                    Ok(Bindable::Parameter(index))
                } else {
                    refuse(Rule::Parameter, name.as_str())
                }
            }
        }
    }

    /// A literal as the domain writes values: days stand as texts in SQL.
    fn literal(&self, value: &ScalarValue) -> Option<ScalarValue> {
        match (self.kind(), value) {
            (ParameterKind::Text, ScalarValue::Utf8(Some(_)))
            | (ParameterKind::Integer, ScalarValue::Int64(Some(_))) => Some(value.clone()),
            (ParameterKind::Date, ScalarValue::Utf8(Some(text))) => {
                let day: Day = text.parse().ok()?;
                Some(ScalarValue::Date32(Some(day.days())))
            }
            _ => None,
        }
    }

    fn kind(&self) -> ParameterKind {
        match self.domain.kind() {
            DomainKind::Texts(_) => ParameterKind::Text,
            DomainKind::DateBins(_) => ParameterKind::Date,
            DomainKind::Integers(_) | DomainKind::IntegerBins(_) | DomainKind::Bounds { .. } => {
                ParameterKind::Integer
            }
        }
    }
}
