//! The clear fields of a record: their numbers, shapes and strict encoding.

use lingqu_tlog::{Hash, Suite};

/// Longest text field, in bytes.
const TEXT_LEN_MAX: usize = 256;

/// How a field's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// UTF-8 without control characters, 1 to 256 bytes.
    Text,
    /// Unsigned, 8 bytes big-endian.
    Number,
    /// This many bytes.
    Bytes(usize),
    /// One byte up to this many.
    UpTo(usize),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $tag:literal, $name:literal, $shape:expr;)*) => {
        /// A clear field. The numbers are part of the format and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Field { $($(#[$doc])* $variant = $tag,)* }

        impl Field {
            /// Every field, in ascending order of number.
            pub const ALL: &'static [Field] = &[$(Field::$variant),*];

            /// The name in documents and JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// How its value is read.
            pub const fn shape(self) -> Shape {
                match self { $(Field::$variant => $shape,)* }
            }
        }
    };
}

fields! {
    /// The party whose certificate made the call.
    Caller = 1, "caller", Shape::Text;
    /// SHA-256 of that certificate.
    CallerCertificate = 2, "caller_certificate", Shape::Bytes(32);
    /// The party for whom the answer was meant: a unified social credit code.
    EndUser = 3, "end_user", Shape::Text;
    /// The grant's id.
    Grant = 4, "grant", Shape::Text;
    /// The grant's version.
    GrantVersion = 5, "grant_version", Shape::Number;
    /// The scenario.
    Scenario = 6, "scenario", Shape::Text;
    /// The stated purpose.
    Purpose = 7, "purpose", Shape::Text;
    /// The product's id.
    Product = 8, "product", Shape::Text;
    /// The product's version.
    ProductVersion = 9, "product_version", Shape::Number;
    /// Digest of the product's signed bytes.
    ProductDigest = 10, "product_digest", Shape::Bytes(32);
    /// The resource that was read.
    Resource = 11, "resource", Shape::Text;
    /// The load that was read.
    Load = 12, "load", Shape::Text;
    /// The date the data speaks for, µs since the epoch.
    AsOf = 13, "as_of_us", Shape::Number;
    /// TEST, PROD_DEBUG or PROD.
    Environment = 14, "environment", Shape::Text;
    /// What was done, for example `verify`, `epoch`, `stop`.
    Action = 15, "action", Shape::Text;
    /// `ANSWERED` or an error code.
    Outcome = 16, "outcome", Shape::Text;
    /// Units charged to the grant.
    Units = 17, "units", Shape::Number;
    /// How many events a coalesced record stands for.
    Count = 18, "count", Shape::Number;
    /// Keyed tag of the request, by which the node knows a retry; only the node has the key.
    RequestTag = 19, "request_tag", Shape::Bytes(16);
    /// Number of a revocation epoch.
    Epoch = 20, "epoch", Shape::Number;
    /// Version of the software that wrote the record.
    Software = 21, "software", Shape::Text;
    /// Typed id of what an act is about.
    Subject = 22, "subject", Shape::Text;
    /// Digest of the signed bytes that an act rests on.
    ObjectDigest = 23, "object_digest", Shape::Bytes(32);
    /// Filing number.
    FilingNumber = 24, "filing_number", Shape::Text;
    /// Who asked for the act.
    Actor = 25, "actor", Shape::Text;
    /// Region that an act is about.
    Region = 26, "region", Shape::Text;
    /// Number of a stop order.
    StopNumber = 27, "stop_number", Shape::Number;
    /// The source that a load was read from: the configured one, or a replica of it.
    Source = 40, "source", Shape::Text;
    /// How that source named the state that was read, if it did.
    SourceVersion = 41, "source_version", Shape::Text;
    /// The load that this one took the place of.
    PreviousLoad = 42, "previous_load", Shape::Text;
    /// The load that the unit has marked as wrong.
    WrongLoad = 43, "wrong_load", Shape::Text;
    /// Why, in the unit's own words.
    Reason = 44, "reason", Shape::Text;
    /// Number of the unit's order about a source.
    SourceOrder = 45, "source_order", Shape::Number;
    /// Days whose bodies an order opens or erases: first and last, with a stroke between them.
    BodyDays = 50, "body_days", Shape::Text;
    /// Equal for calls about one subject of one resource within one window; the node alone has the window's key, and
    /// only until its end.
    SubjectTag = 51, "subject_tag", Shape::Bytes(16);
    /// First instant after that window, µs since the epoch.
    SubjectWindowEnds = 52, "subject_window_ends_us", Shape::Number;
    /// The space of entities whose privacy budget is spent.
    BudgetSpace = 60, "budget_space", Shape::Text;
    /// What is spent of it, in millionths of ρ.
    RhoMicro = 61, "rho_micro", Shape::Number;
    /// The unit's signed order that ends a stream: the bytes of its envelope.
    Order = 70, "order", Shape::UpTo(crate::succession::ORDER_LEN_MAX);
    /// Verifier key of the stream that follows this one.
    NextKey = 71, "next_key", Shape::Text;
    /// Verifier key of the stream that this one follows.
    PreviousKey = 72, "previous_key", Shape::Text;
    /// Receipt of that stream's last record, as the text of a tlog-proof.
    PreviousEnd = 73, "previous_end", Shape::UpTo(crate::succession::END_PROOF_LEN_MAX);
    /// Digest of all that is brought forward from one stream to the next.
    ForwardDigest = 74, "forward_digest", Shape::Bytes(32);
    /// A part of it.
    Forward = 75, "forward", Shape::UpTo(crate::forward::PART_LEN_MAX);
}

/// Why a clear field is refused. Names the field, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldRefused {
    /// A length runs past the end.
    #[error("clear fields end in the middle of a field")]
    Truncated,
    /// Fields must stand in ascending order, each once.
    #[error("clear fields are out of order")]
    Order,
    /// A number without a meaning in this version.
    #[error("unknown clear field {0}")]
    Unknown(u16),
    /// The value does not have the field's shape.
    #[error("clear field `{0}` is malformed")]
    Shape(&'static str),
}

/// The clear fields of one record. They are kept as they are encoded: a record is made once and read often, and in few
/// of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clear(Vec<u8>);

/// Bytes that the fields of a call take, about: room for them is made at once.
const USUAL_LEN: usize = 384;

impl Clear {
    /// Adds a text; an empty one is left out. Control characters become `?` and the text is cut at 256 bytes, since a
    /// record must never fail for what a caller put into a name.
    #[must_use]
    pub fn text(mut self, field: Field, value: &str) -> Self {
        debug_assert_eq!(field.shape(), Shape::Text);
        if has_shape(Shape::Text, value.as_bytes()) {
            self.insert(field, value.as_bytes());
            return self;
        }
        let mut clean: String = value
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        while clean.len() > TEXT_LEN_MAX {
            clean.pop();
        }
        if !clean.is_empty() {
            self.insert(field, clean.as_bytes());
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, field: Field, value: u64) -> Self {
        debug_assert_eq!(field.shape(), Shape::Number);
        self.insert(field, &value.to_be_bytes());
        self
    }

    /// Adds bytes of the field's length.
    #[must_use]
    pub fn bytes(mut self, field: Field, value: &[u8]) -> Self {
        debug_assert!(!matches!(field.shape(), Shape::Number | Shape::Text));
        debug_assert!(has_shape(field.shape(), value));
        self.insert(field, value);
        self
    }

    /// A text field's value.
    pub fn get_text(&self, field: Field) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(field)?).ok()
    }

    /// A number field's value.
    pub fn get_number(&self, field: Field) -> Option<u64> {
        let value = self.get_bytes(field)?.try_into().ok()?;
        Some(u64::from_be_bytes(value))
    }

    /// A field's bytes.
    pub fn get_bytes(&self, field: Field) -> Option<&[u8]> {
        ClearView(&self.0).get(field)
    }

    /// The fields that are present, in ascending order.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let numbers = ClearView(&self.0).fields().map(|(number, _)| number);
        numbers.filter_map(numbered)
    }

    /// Digest of grant id and version; all zero when the record names no grant.
    pub(super) fn grant_reference<S: Suite>(&self) -> Hash {
        ClearView(&self.0).grant_reference::<S>()
    }

    /// The fields' bytes, in ascending order of number, each once.
    pub(super) fn as_encoded(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn decode(bytes: &[u8]) -> Result<Clear, FieldRefused> {
        ClearView::read(bytes).map(|view| view.to_clear())
    }

    /// Puts a value into its place, instead of one that is there.
    fn insert(&mut self, field: Field, value: &[u8]) {
        let number = field as u16;
        let mut at = 0;
        let mut replaced = 0;
        for (found, there) in ClearView(&self.0).fields() {
            if found > number {
                break;
            }
            if found == number {
                replaced = TAG_LEN + there.len();
                break;
            }
            at += TAG_LEN + there.len();
        }
        let length = u16::try_from(value.len()).expect("every shape is shorter than 64 KiB");
        let mut tag = [0; TAG_LEN];
        tag[..2].copy_from_slice(&number.to_be_bytes());
        tag[2..].copy_from_slice(&length.to_be_bytes());
        if self.0.capacity() == 0 {
            self.0.reserve(USUAL_LEN);
        }
        let bytes = tag.iter().chain(value).copied();
        if at == self.0.len() {
            self.0.extend_from_slice(&tag);
            self.0.extend_from_slice(value);
        } else {
            self.0.splice(at..at + replaced, bytes);
        }
    }
}

/// Bytes of a field's number and length.
const TAG_LEN: usize = 4;

/// The clear fields of one record, read in place. Made only of bytes that are exactly what [`Clear`] holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClearView<'a>(&'a [u8]);

impl<'a> ClearView<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<ClearView<'a>, FieldRefused> {
        let (mut rest, mut last) = (bytes, None);
        while !rest.is_empty() {
            let (number, value, after) = first(rest).ok_or(FieldRefused::Truncated)?;
            let field = numbered(number).ok_or(FieldRefused::Unknown(number))?;
            if last >= Some(field) {
                return Err(FieldRefused::Order);
            }
            if !has_shape(field.shape(), value) {
                return Err(FieldRefused::Shape(field.name()));
            }
            last = Some(field);
            rest = after;
        }
        Ok(ClearView(bytes))
    }

    pub(super) fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.fields()
            .take_while(|(number, _)| *number <= field as u16)
            .find(|(number, _)| *number == field as u16)
            .map(|(_, value)| value)
    }

    pub(super) fn grant_reference<S: Suite>(&self) -> Hash {
        grant_reference::<S>(self.get(Field::Grant), self.get(Field::GrantVersion))
    }

    pub(super) fn to_clear(self) -> Clear {
        Clear(self.0.to_vec())
    }

    fn fields(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (number, value, after) = first(rest)?;
            rest = after;
            Some((number, value))
        })
    }
}

/// The first field's number and value, and what follows.
fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first_chunk::<TAG_LEN>()?;
    let length = usize::from(u16::from_be_bytes([tag[2], tag[3]]));
    let (value, rest) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes([tag[0], tag[1]]), value, rest))
}

fn numbered(number: u16) -> Option<Field> {
    let at = Field::ALL.binary_search_by_key(&number, |field| *field as u16);
    at.ok().map(|at| Field::ALL[at])
}

/// Digest of grant id and version; all zero when one of them is missing.
fn grant_reference<S: Suite>(grant: Option<&[u8]>, version: Option<&[u8]>) -> Hash {
    match (grant, version) {
        (Some(grant), Some(version)) => S::digest(&[b"cal1/authz\0", grant, b"\0", version]),
        _ => Hash([0; 32]),
    }
}

fn has_shape(shape: Shape, value: &[u8]) -> bool {
    match shape {
        Shape::Number => value.len() == 8,
        Shape::Bytes(length) => value.len() == length,
        Shape::UpTo(most) => (1..=most).contains(&value.len()),
        Shape::Text => (1..=TEXT_LEN_MAX).contains(&value.len()) && is_clean(value),
    }
}

/// UTF-8 without control characters. Nearly every text is ASCII, and that is decided without reading characters.
fn is_clean(value: &[u8]) -> bool {
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte);
    value.iter().all(is_plain)
        || std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
}
