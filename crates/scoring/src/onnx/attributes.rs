//! The attributes of one operator, taken one by one by name and type; what is left over is unknown.

use std::collections::BTreeMap;

use super::message::{AttributeProto, NodeProto};
use crate::ModelRefused;
use crate::refused::shown;

/// `AttributeProto.AttributeType`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
enum Kind {
    Float = 1,
    Int = 2,
    String = 3,
    Floats = 6,
    Ints = 7,
    Strings = 8,
}

/// The attributes of one operator.
pub(super) struct Attributes {
    operator: &'static str,
    left: BTreeMap<String, AttributeProto>,
}

impl Attributes {
    /// Takes them out of the node.
    pub(super) fn of(
        operator: &'static str,
        node: &mut NodeProto,
    ) -> Result<Attributes, ModelRefused> {
        let mut left = BTreeMap::new();
        for attribute in std::mem::take(&mut node.attribute) {
            let unacceptable = ModelRefused::Attribute {
                operator,
                attribute: shown(&attribute.name),
            };
            if !holds_only_its_kind(&attribute)
                || left.insert(attribute.name.clone(), attribute).is_some()
            {
                return Err(unacceptable);
            }
        }
        Ok(Attributes { operator, left })
    }

    /// Which operator's they are.
    pub(super) fn operator(&self) -> &'static str {
        self.operator
    }

    /// A number; none if it is not there.
    pub(super) fn float(&mut self, name: &'static str) -> Result<Option<f32>, ModelRefused> {
        Ok(self.take(name, Kind::Float)?.map(|a| a.f))
    }

    /// A whole number; none if it is not there.
    pub(super) fn int(&mut self, name: &'static str) -> Result<Option<i64>, ModelRefused> {
        Ok(self.take(name, Kind::Int)?.map(|a| a.i))
    }

    /// A text; none if it is not there.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ModelRefused> {
        let taken = self.take(name, Kind::String)?;
        taken.map(|a| self.utf8(name, a.s)).transpose()
    }

    /// Numbers; empty if they are not there.
    pub(super) fn floats(&mut self, name: &'static str) -> Result<Vec<f32>, ModelRefused> {
        let taken = self.take(name, Kind::Floats)?;
        Ok(taken.map(|a| a.floats).unwrap_or_default())
    }

    /// Numbers none of which is NaN or infinite; empty if they are not there.
    pub(super) fn finite(&mut self, name: &'static str) -> Result<Vec<f32>, ModelRefused> {
        let list = self.floats(name)?;
        if list.iter().all(|x| x.is_finite()) {
            return Ok(list);
        }
        Err(ModelRefused::NotANumber {
            operator: self.operator,
            attribute: name,
        })
    }

    /// Whole numbers; empty if they are not there.
    pub(super) fn ints(&mut self, name: &'static str) -> Result<Vec<i64>, ModelRefused> {
        let taken = self.take(name, Kind::Ints)?;
        Ok(taken.map(|a| a.ints).unwrap_or_default())
    }

    /// Texts; empty if they are not there.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, ModelRefused> {
        let taken = self.take(name, Kind::Strings)?;
        let texts = taken.map(|a| a.strings).unwrap_or_default();
        texts.into_iter().map(|t| self.utf8(name, t)).collect()
    }

    /// Whether it is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// An attribute that is there and has no influence on the answer.
    pub(super) fn ignore(&mut self, name: &'static str) {
        self.left.remove(name);
    }

    /// Nothing may be left.
    pub(super) fn done(self) -> Result<(), ModelRefused> {
        match self.left.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(ModelRefused::Attribute {
                operator: self.operator,
                attribute: shown(&name),
            }),
        }
    }

    /// The refusal of a value.
    pub(super) fn value(&self, attribute: &'static str) -> ModelRefused {
        ModelRefused::AttributeValue {
            operator: self.operator,
            attribute,
        }
    }

    /// Refuses a list of another length.
    pub(super) fn length<T>(
        &self,
        attribute: &'static str,
        list: &[T],
        expected: usize,
    ) -> Result<(), ModelRefused> {
        if list.len() == expected {
            return Ok(());
        }
        Err(ModelRefused::Length {
            operator: self.operator,
            attribute,
            found: list.len(),
            expected,
        })
    }

    fn take(
        &mut self,
        name: &'static str,
        kind: Kind,
    ) -> Result<Option<AttributeProto>, ModelRefused> {
        match self.left.remove(name) {
            Some(attribute) if attribute.kind != kind as i32 => Err(ModelRefused::Attribute {
                operator: self.operator,
                attribute: name.to_owned(),
            }),
            taken => Ok(taken),
        }
    }

    fn utf8(&self, name: &'static str, bytes: Vec<u8>) -> Result<String, ModelRefused> {
        String::from_utf8(bytes).map_err(|_| self.value(name))
    }
}

/// An attribute that says it is of one type and has the content of another is read differently by different readers.
fn holds_only_its_kind(attribute: &AttributeProto) -> bool {
    let AttributeProto {
        name: _,
        f,
        i,
        s,
        floats,
        ints,
        strings,
        kind,
    } = attribute;
    let is = |of: Kind| *kind == of as i32;
    (is(Kind::Float) || f.to_bits() == 0)
        && (is(Kind::Int) || *i == 0)
        && (is(Kind::String) || s.is_empty())
        && (is(Kind::Floats) || floats.is_empty())
        && (is(Kind::Ints) || ints.is_empty())
        && (is(Kind::Strings) || strings.is_empty())
}
