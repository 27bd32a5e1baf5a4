//! Typed ids that tell what they are: `party_…`, `node_…`, `coord_…`, `grant_…`, `case_…`, `load_…`,
//! `call_…`.
//!
//! This file is the one registry of id kinds. An id is a prefix and 1 to 64 characters of `a-z 0-9 . -`, beginning and
//! ending with a letter or digit, so that it can stand in a URI, a file name and a log line without quoting.

use std::fmt;
use std::str::FromStr;

/// Longest id in bytes, prefix included.
pub const ID_LEN_MAX: usize = 72;

/// Why a text is not an id of the kind it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} id: expected `{prefix}` and 1 to 64 of `a-z 0-9 . -`")]
pub struct IdRefused {
    /// The kind in words.
    pub kind: &'static str,
    /// The prefix that the kind wants.
    pub prefix: &'static str,
}

fn is_name(name: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| alphanumeric(&byte) || byte == b'.' || byte == b'-')
        && name.as_bytes().first().is_some_and(alphanumeric)
        && name.as_bytes().last().is_some_and(alphanumeric)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id as text, prefix included.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdRefused;

            fn from_str(text: &str) -> Result<Self, IdRefused> {
                match text.strip_prefix($prefix) {
                    Some(name) if is_name(name) => Ok($name(text.to_owned())),
                    _ => Err(IdRefused { kind: $kind, prefix: $prefix }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// An organisation that takes part.
    PartyId, "party", "party_"
);
id!(
    /// One node of one unit.
    NodeId, "node", "node_"
);
id!(
    /// A coordinator.
    CoordinatorId, "coordinator", "coord_"
);
id!(
    /// A grant (授权令牌).
    GrantId, "grant", "grant_"
);
id!(
    /// One application for authorisation and all that comes of it.
    CaseId, "case", "case_"
);
id!(
    /// One verified reading of a resource.
    LoadId, "load", "load_"
);

/// `unit.product`: two names, so that it is also the product's name in SQL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductId(String);

impl ProductId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProductId {
    type Err = IdRefused;

    fn from_str(text: &str) -> Result<Self, IdRefused> {
        let word = |part: &str| {
            (1..=48).contains(&part.len())
                && part.starts_with(|first: char| first.is_ascii_lowercase())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        match text.split_once('.') {
            Some((unit, product)) if word(unit) && word(product) => Ok(ProductId(text.to_owned())),
            _ => Err(IdRefused {
                kind: "product",
                prefix: "unit.",
            }),
        }
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 16 bytes that the caller chose for one call; the same on retries. Unique within a party and grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub [u8; 16]);

impl CallId {
    /// The id of entries that belong to no call.
    pub const NONE: CallId = CallId([0; 16]);
}

impl TryFrom<&[u8]> for CallId {
    type Error = IdRefused;

    /// Refuses another length, and all zeros: that is [`CallId::NONE`].
    fn try_from(bytes: &[u8]) -> Result<Self, IdRefused> {
        match <[u8; 16]>::try_from(bytes) {
            Ok(id) if id != [0; 16] => Ok(CallId(id)),
            _ => Err(IdRefused {
                kind: "call",
                prefix: "16 bytes",
            }),
        }
    }
}

impl FromStr for CallId {
    type Err = IdRefused;

    fn from_str(text: &str) -> Result<Self, IdRefused> {
        let refused = IdRefused {
            kind: "call",
            prefix: "call_",
        };
        let digits = text.strip_prefix("call_").ok_or(refused.clone())?;
        let bytes = hex::decode(digits).map_err(|_| refused)?;
        CallId::try_from(bytes.as_slice())
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call_{}", hex::encode(self.0))
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which ids a certificate authority may speak for: an exact id, or everything below a prefix that ends in `_`, `.`
/// or `-`. Requiring the separator keeps `party_gx` from also covering `party_gxevil`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPrefix(String);

impl IdPrefix {
    /// Whether `id` lies within the prefix.
    pub fn covers(&self, id: &str) -> bool {
        if self.0.ends_with(['_', '.', '-']) {
            id.starts_with(&self.0)
        } else {
            id == self.0
        }
    }

    /// The prefix as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdPrefix {
    type Err = IdRefused;

    fn from_str(text: &str) -> Result<Self, IdRefused> {
        let kinds = [PartyId::PREFIX, NodeId::PREFIX, CoordinatorId::PREFIX];
        if kinds.iter().any(|kind| text.starts_with(kind)) && text.len() <= ID_LEN_MAX {
            Ok(IdPrefix(text.to_owned()))
        } else {
            Err(IdRefused {
                kind: "prefix of a party, node or coordinator",
                prefix: "party_",
            })
        }
    }
}

#[cfg(test)]
mod tests;
