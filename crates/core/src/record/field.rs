//! The clear fields of a record: their numbers and shapes. How they are encoded stands in `clear.rs`.

/// Longest text field, in bytes.
pub(super) const TEXT_LEN_MAX: usize = 256;

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

            /// The field with this number.
            pub(super) fn numbered(number: u16) -> Option<Field> {
                NUMBERED.get(usize::from(number)).copied().flatten()
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

/// One more than the highest number of a field.
pub(super) const NUMBERS_END: usize = Field::ALL[Field::ALL.len() - 1] as usize + 1;
/// The fields by number: every field of every record is looked up here, at the node and at everybody who reads along.
const NUMBERED: [Option<Field>; NUMBERS_END] = numbered();

const fn numbered() -> [Option<Field>; NUMBERS_END] {
    let mut table = [None; NUMBERS_END];
    let mut at = 0;
    while at < Field::ALL.len() {
        table[Field::ALL[at] as usize] = Some(Field::ALL[at]);
        at += 1;
    }
    table
}

impl Shape {
    /// Whether a value has this shape.
    pub(super) fn fits(self, value: &[u8]) -> bool {
        match self {
            Shape::Number => value.len() == 8,
            Shape::Bytes(length) => value.len() == length,
            Shape::UpTo(most) => (1..=most).contains(&value.len()),
            Shape::Text => (1..=TEXT_LEN_MAX).contains(&value.len()) && is_clean(value),
        }
    }
}

/// UTF-8 without control characters. Nearly every text is ASCII, and that is decided without reading characters; all
/// bytes are looked at before anything is concluded, so that several are looked at in one step.
fn is_clean(value: &[u8]) -> bool {
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte);
    value
        .iter()
        .fold(true, |plain, byte| plain & is_plain(byte))
        || std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
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
