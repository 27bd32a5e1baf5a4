//! Parameters of a template, the values that callers give, and why they are refused.
//!
//! A value is somebody's question, so its `Debug` is redacted and no error repeats it.

use std::fmt;

use datafusion::scalar::ScalarValue;
use lingqu_policy::Day;

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A day, written YYYY-MM-DD.
    Date,
    /// A whole number.
    Integer,
    /// A text.
    Text,
}

/// A declared parameter, `$name` in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, 1 to 64 of `a-z 0-9 _`, not beginning with a digit.
    pub name: String,
    /// Its kind.
    pub kind: ParameterKind,
    /// What it may be: values or edges that the policy declares for its column, or fewer of them.
    pub allowed: Allowed,
}

/// What a parameter may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// One of these edges, or of the last values before edges, for a range.
    Edges(Vec<Value>),
    /// One of these values, for equality.
    Values(Vec<Value>),
}

impl Allowed {
    /// The values or edges.
    pub fn list(&self) -> &[Value] {
        match self {
            Allowed::Edges(list) | Allowed::Values(list) => list,
        }
    }
}

/// A value of a parameter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A text, or a day as YYYY-MM-DD.
    Text(String),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(_) => f.write_str("Integer(…)"),
            Value::Text(_) => f.write_str("Text(…)"),
        }
    }
}

impl Value {
    /// The value in the one form in which plans hold it; none if it is not of the kind.
    pub(crate) fn scalar(&self, kind: ParameterKind) -> Option<ScalarValue> {
        match (kind, self) {
            (ParameterKind::Integer, Value::Integer(number)) => {
                Some(ScalarValue::Int64(Some(*number)))
            }
            (ParameterKind::Text, Value::Text(text)) => Some(ScalarValue::Utf8(Some(text.clone()))),
            (ParameterKind::Date, Value::Text(text)) => {
                let day: Day = text.parse().ok()?;
                Some(ScalarValue::Date32(Some(day.days())))
            }
            (ParameterKind::Integer, Value::Text(_))
            | (ParameterKind::Text | ParameterKind::Date, Value::Integer(_)) => None,
        }
    }
}

/// A template as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSource {
    /// The SQL text, with `$name` where a parameter stands.
    pub sql: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

/// Why arguments are refused. Names are those of declared parameters; what the caller wrote is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindRefused {
    /// No argument for a parameter.
    #[error("parameter `{0}` is missing")]
    Missing(String),
    /// The value is not one of the declared values or edges.
    #[error("parameter `{0}` is not one of its declared values")]
    Outside(String),
    /// Two arguments for a parameter.
    #[error("parameter `{0}` is given twice")]
    Twice(String),
    /// An argument for which there is no parameter.
    #[error("an argument names no parameter of the template")]
    Unknown,
}
