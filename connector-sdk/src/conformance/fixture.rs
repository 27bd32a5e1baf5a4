//! What a test prepares at a source so that every check applies.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::TableName;

use super::Specimen;

/// What is special about a column of a specimen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// 64-bit integers that no float holds.
    BigInteger,
    /// A fixed-width text column that the source pads.
    CharPadding,
    /// Dates, some before 1970.
    DateBefore1970,
    /// Exact decimals that no float holds.
    Decimal,
    /// Nulls beside empty texts.
    NullEmpty,
    /// Text that the source keeps in GBK.
    TextGbk,
    /// Text with characters of all planes, quotes and control characters.
    TextUtf8,
    /// Moments, with a zone.
    TimestampZone,
}

impl Aspect {
    /// All, in the order of their names.
    pub const ALL: [Aspect; 8] = [
        Aspect::BigInteger,
        Aspect::CharPadding,
        Aspect::DateBefore1970,
        Aspect::Decimal,
        Aspect::NullEmpty,
        Aspect::TextGbk,
        Aspect::TextUtf8,
        Aspect::TimestampZone,
    ];

    /// The check that looks at it.
    pub fn check_id(self) -> &'static str {
        match self {
            Aspect::BigInteger => "types.big-integer",
            Aspect::CharPadding => "types.char-padding",
            Aspect::DateBefore1970 => "types.date-before-1970",
            Aspect::Decimal => "types.decimal",
            Aspect::NullEmpty => "types.null-empty",
            Aspect::TextGbk => "types.text-gbk",
            Aspect::TextUtf8 => "types.text-utf8",
            Aspect::TimestampZone => "types.timestamp-zone",
        }
    }
}

/// A table with a value that does not fit its declared type, so that reading it is an error.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// The table.
    pub table: TableName,
    /// The value as text, which no error may quote.
    pub canary: String,
}

/// Prepared contents, and control of the source.
#[derive(Clone, Default)]
pub struct Fixture {
    /// Tables with known contents.
    pub specimens: Vec<Specimen>,
    /// A table that takes the source a while to send, with more rows than any buffer may hold: 200,000 or more; where
    /// there is a connection, 300,000 of 200 bytes or more, for sockets hold several megabytes. The kit counts them and
    /// says so if they are too few.
    pub large: Option<TableName>,
    /// A table that cannot be read because of a value in it.
    pub unfit: Option<Unfit>,
    /// A table of two columns or more whose columns [`Control::alter`] changes.
    pub drifting: Option<TableName>,
    /// Secrets of the connector's settings; none where it has none.
    pub secrets: Vec<String>,
    /// What can be done to the source.
    pub control: Option<Arc<dyn Control>>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fixture")
            .field("large", &self.large)
            .field("drifting", &self.drifting)
            .finish_non_exhaustive()
    }
}

/// Why a source did not do what a test wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotControlled {
    /// There is no such control over this source.
    #[error("there is no such control")]
    None,
    /// It was tried and went wrong.
    #[error("it went wrong: {0}")]
    Failed(String),
}

/// What a test can do to a source besides reading it. All of it is done with an account of the test, never through the
/// connector. Whatever is not implemented is [`NotControlled::None`], and the checks that need it do not apply.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Stops the source hard and starts it again; returns when it accepts connections.
    async fn restart(&self) -> Result<(), NotControlled> {
        Err(NotControlled::None)
    }

    /// Changes the type of a column of the drifting table, or removes one.
    async fn alter(&self) -> Result<(), NotControlled> {
        Err(NotControlled::None)
    }

    /// Statements or requests that the source is working on for the connector's account. Of files those that are open
    /// (`/proc/self/fd`). Tells that a reading is under way and that it has stopped; how far it is only
    /// [`Control::rows_sent`] tells. Unless it is implemented, [`crate::Connector::running_queries`] is asked.
    async fn running_queries(&self) -> Result<u64, NotControlled> {
        Err(NotControlled::None)
    }

    /// Rows that the source has handed out since it was started, those of readings that have ended included.
    async fn rows_sent(&self) -> Result<u64, NotControlled> {
        Err(NotControlled::None)
    }
}
