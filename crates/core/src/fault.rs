//! What is wrong in a request, in words that may leave: a name that everybody who may call knows, and a constant.
//!
//! Never what was sent: a caller who has swapped a name and a value must not find the value in an error text, which goes
//! through logs and consoles that answers do not go through.

use std::borrow::Cow;
use std::fmt;

/// A named field, parameter or header, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    field: Cow<'static, str>,
    reason: &'static str,
}

impl Fault {
    /// Of a field that the interface itself has.
    pub const fn of(field: &'static str, reason: &'static str) -> Fault {
        Fault {
            field: Cow::Borrowed(field),
            reason,
        }
    }

    /// Of a field that a product declares. A name that is none of `declared` does not leave: then it is said of the
    /// arguments.
    pub fn of_declared<'a>(
        declared: impl IntoIterator<Item = &'a str>,
        name: &str,
        reason: &'static str,
    ) -> Fault {
        let found = declared.into_iter().find(|declared| *declared == name);
        Fault {
            field: found.map_or(Cow::Borrowed("arguments"), |name| {
                Cow::Owned(name.to_owned())
            }),
            reason,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_declared_name_leaves() {
        let declared = ["id_no", "name"];
        let fault = |name| Fault::of_declared(declared, name, "is missing").to_string();
        assert_eq!(fault("name"), "`name` is missing");
        for sent in ["459201198803140011", "Name", "name ", ""] {
            assert_eq!(fault(sent), "`arguments` is missing");
        }
    }
}
