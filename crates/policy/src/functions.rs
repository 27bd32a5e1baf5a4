//! The functions that statistics may be asked for, as the unit lists them.

use std::fmt;
use std::str::FromStr;

/// One kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Function {
    /// `avg(column)`: a sum divided by a rounded count.
    Average,
    /// `count(*)`, `count(column)`: rows.
    Count,
    /// `count(distinct entity)`: entities.
    Entities,
    /// `sum(column)`.
    Sum,
}

impl Function {
    /// Every function, in alphabetical order.
    pub const ALL: [Function; 4] = [
        Function::Average,
        Function::Count,
        Function::Entities,
        Function::Sum,
    ];

    /// The word in policy files and signed policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Function::Average => "average",
            Function::Count => "count",
            Function::Entities => "entities",
            Function::Sum => "sum",
        }
    }
}

/// A word that names no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a function; the functions are average, count, entities, sum")]
pub struct FunctionUnknown(pub String);

impl FromStr for Function {
    type Err = FunctionUnknown;

    fn from_str(word: &str) -> Result<Self, FunctionUnknown> {
        Function::ALL
            .into_iter()
            .find(|candidate| candidate.as_str() == word)
            .ok_or_else(|| FunctionUnknown(word.to_owned()))
    }
}

/// A set of functions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Functions(u8);

impl Functions {
    /// All of them.
    pub const ALL: Functions = Functions(0b1111);
    /// None: nothing can be asked.
    pub const NONE: Functions = Functions(0);

    /// Whether `wanted` may be asked.
    pub fn allows(self, wanted: Function) -> bool {
        self.0 & (1 << wanted as u8) != 0
    }

    /// What both sets allow.
    #[must_use]
    pub fn meet(self, other: Functions) -> Functions {
        Functions(self.0 & other.0)
    }

    /// The functions, in alphabetical order.
    pub fn iter(self) -> impl Iterator<Item = Function> {
        Function::ALL
            .into_iter()
            .filter(move |candidate| self.allows(*candidate))
    }
}

impl FromIterator<Function> for Functions {
    fn from_iter<I: IntoIterator<Item = Function>>(functions: I) -> Self {
        let set = functions.into_iter();
        Functions(set.fold(0, |set, function| set | (1 << function as u8)))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.iter().map(Function::as_str);
        f.debug_set().entries(words).finish()
    }
}
