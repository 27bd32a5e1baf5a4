//! Why a model is refused: one reason per way of not being understood completely.

/// Why the bytes are not a model that can be scored.
///
/// Texts of the model are shown shortened and with control characters escaped, since whoever wrote them is not trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ModelRefused {
    // The bytes.
    /// The file is larger than [`crate::Limits::model_bytes_max`].
    #[error("the model has {bytes} bytes, at most {max} are accepted")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The file is not an ONNX model: its protobuf encoding is broken at this message.
    #[error("the protobuf encoding of {0} is broken")]
    Encoding(&'static str),
    /// A protobuf field that is not part of the accepted subset.
    #[error("{message} has the unknown field {field}")]
    UnknownField {
        /// The message.
        message: &'static str,
        /// The field's number.
        field: u32,
    },
    /// A protobuf field that stands once at most stands twice; readers disagree on what that means.
    #[error("{message} has the field {field} twice")]
    RepeatedField {
        /// The message.
        message: &'static str,
        /// The field's number.
        field: u32,
    },
    /// More of something than is accepted.
    #[error("more than {max} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are accepted.
        max: usize,
    },
    /// The file is not a scorecard document; the parser says what is wrong and where.
    #[error("not a scorecard: {0}")]
    Document(String),

    // What a scorecard says.
    /// The document's `format` is not the one that is understood.
    #[error("the scorecard's format is `{0}`")]
    Format(String),
    /// A number is NaN, infinite or beyond what is sensible.
    #[error("{0} is not a finite number of a sensible size")]
    NotFinite(String),
    /// Intervals overlap, leave a gap or do not reach infinity on both sides.
    #[error("the intervals of {0} do not cover every number exactly once")]
    Coverage(String),
    /// A category is listed twice, so that it is undecided which points it gets.
    #[error("{0} lists a category twice")]
    CategoryTwice(String),
    /// A name, label or reason code is empty, too long or has characters that do not belong there.
    #[error("{what} `{text}` is not acceptable as a name")]
    Name {
        /// What the text is.
        what: &'static str,
        /// The text, shortened.
        text: String,
    },
    /// The same name for two things of a kind.
    #[error("{what} `{text}` is there twice")]
    Duplicate {
        /// What the text is.
        what: &'static str,
        /// The text, shortened.
        text: String,
    },
    /// There is nothing of something that must be there.
    #[error("there is no {0}")]
    Nothing(&'static str),

    // What an ONNX graph says.
    /// The version of the file's format is not accepted.
    #[error("ir version {0} is not accepted")]
    IrVersion(i64),
    /// An operator set or a version of it that is not accepted.
    #[error("operator set `{domain}` version {version} is not accepted")]
    OperatorSet {
        /// The domain; empty for ONNX's own operators.
        domain: String,
        /// The version.
        version: i64,
    },
    /// An operator whose set the model does not import, or imports in two versions.
    #[error("operator set `{0}` is not imported exactly once")]
    NotImported(String),
    /// An operator outside the subset, custom ones and control flow included.
    #[error("operator `{operator}` of domain `{domain}` is not accepted")]
    Operator {
        /// The domain; empty for ONNX's own operators.
        domain: String,
        /// The operator.
        operator: String,
    },
    /// The model brings functions, training or a configuration of its own.
    #[error("the model brings {0}")]
    Extra(&'static str),
    /// An attribute outside the subset, of another type, or twice.
    #[error("attribute `{attribute}` of {operator} is unknown, of another type or there twice")]
    Attribute {
        /// The operator.
        operator: &'static str,
        /// The attribute.
        attribute: String,
    },
    /// An attribute that the operator needs is not there.
    #[error("attribute `{attribute}` of {operator} is missing")]
    AttributeMissing {
        /// The operator.
        operator: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute has a value that is not accepted.
    #[error("attribute `{attribute}` of {operator} has a value that is not accepted")]
    AttributeValue {
        /// The operator.
        operator: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// A list has another length than it must have.
    #[error("attribute `{attribute}` of {operator} has {found} entries, expected {expected}")]
    Length {
        /// The operator.
        operator: &'static str,
        /// The attribute.
        attribute: &'static str,
        /// Its length.
        found: usize,
        /// The length that it must have.
        expected: usize,
    },
    /// A coefficient, weight, threshold or the like is NaN, or infinite where that means nothing.
    #[error("attribute `{attribute}` of {operator} has an entry that is no number")]
    NotANumber {
        /// The operator.
        operator: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// The operator has another number of inputs or outputs.
    #[error("{operator} has another number of inputs or outputs")]
    Arity {
        /// The operator.
        operator: &'static str,
    },
    /// The operator gets a type or a width of tensor that it does not take.
    #[error("{operator} gets a tensor of a type or a width that is not accepted")]
    Tensor {
        /// The operator.
        operator: &'static str,
    },
    /// An input that nothing gives before it is used: unknown, from later on, or from itself. Graphs are in order,
    /// so this also is what a cycle looks like.
    #[error("`{0}` is used before anything gives it")]
    Unbound(String),
    /// An input's type is not float, int64 or string, or its shape not rows by a known number of columns.
    #[error("input `{0}` has a type or shape that is not accepted")]
    Input(String),
    /// The outputs are neither one number, nor a label with a number for each class.
    #[error("the outputs are neither one number nor a label with a number for each class")]
    Outputs,
    /// The model's output is computed without any model.
    #[error("no tree ensemble and no linear model leads to the output")]
    NoModel,
    /// The tensor lies outside the file.
    #[error("initializer `{0}` lies outside the file")]
    ExternalData(String),
    /// A tensor that is not the constant shape of a `Reshape`.
    #[error("initializer `{0}` is not a constant shape")]
    Initializer(String),
    /// The labels of `ZipMap` are not those of the classifier.
    #[error("the labels of ZipMap are not those of the classifier")]
    ZipMapLabels,
    /// The metadata's list of feature names does not fit the inputs.
    #[error("the list of feature names does not fit the inputs")]
    FeatureNames,

    // What a tree says.
    /// A node's id is there twice in its tree, or the tree's nodes do not stand together.
    #[error("tree {tree} has node {node} twice")]
    NodeTwice {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// A branch leads to a node that is not there.
    #[error("tree {tree}: node {node} leads to a node that is not there")]
    Dangling {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// A branch leads to itself or back, which is how a cycle begins.
    #[error("tree {tree}: node {node} leads to itself or back")]
    Backward {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// A node is not reached by exactly one branch.
    #[error("tree {tree}: node {node} is not reached by exactly one branch")]
    NotATree {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// A tree is deeper than [`crate::Limits::depth_max`].
    #[error("tree {tree} is deeper than {max}")]
    TooDeep {
        /// The tree's id.
        tree: i64,
        /// The limit.
        max: usize,
    },
    /// A branch looks at a feature that is not there.
    #[error("tree {tree}: node {node} looks at a feature that is not there")]
    FeatureId {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// A leaf has no weight, or two for the same target, or a branch has one, or a weight is of no node.
    #[error("tree {tree}: the weights of node {node} are not those of a leaf")]
    Weights {
        /// The tree's id.
        tree: i64,
        /// The node's id.
        node: i64,
    },
    /// The specification does not say what the model's answer would be, and implementations differ.
    #[error("undefined by the specification: {0}")]
    Ambiguous(&'static str),
}

/// How much of a foreign text an error shows.
const SHOWN_CHARS_MAX: usize = 48;

/// A text of the model as an error may show it.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Longest name, label or reason code, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// A name that may stand in an answer, a record or a page: one to 128 bytes, no control characters, no blanks around it.
pub(crate) fn name(what: &'static str, text: &str) -> Result<(), ModelRefused> {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    if fits && text.trim() == text && !text.chars().any(is_invisible) {
        Ok(())
    } else {
        Err(ModelRefused::Name {
            what,
            text: shown(text),
        })
    }
}

/// Characters that change how the text around them is read without being seen themselves.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// All names acceptable, and no two the same.
pub(crate) fn names<'a>(
    what: &'static str,
    texts: impl Iterator<Item = &'a str>,
) -> Result<(), ModelRefused> {
    let mut seen = std::collections::BTreeSet::new();
    for text in texts {
        name(what, text)?;
        if !seen.insert(text) {
            return Err(ModelRefused::Duplicate {
                what,
                text: shown(text),
            });
        }
    }
    Ok(())
}

/// What a parser says of a document, shortened: it may repeat texts of it.
pub(crate) fn shown_error(error: &serde_json::Error) -> String {
    const CHARS_MAX: usize = 200;
    let text = error.to_string();
    text.chars()
        .take(CHARS_MAX)
        .map(|c| if is_invisible(c) { ' ' } else { c })
        .collect()
}
