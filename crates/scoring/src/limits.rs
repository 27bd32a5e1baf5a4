//! How large a model may be.

/// Bounds on a model, all checked before memory is spent on what they bound.
///
/// Parsing takes at most about 16 times `model_bytes_max` of memory for a moment, and the parsed model less.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Size of the model's file, in bytes. Default 8 MiB.
    pub model_bytes_max: usize,
    /// Nodes of all trees together; bins and listed categories of a scorecard; operators of a graph. Default 500,000.
    pub nodes_max: usize,
    /// Trees of all ensembles together. Default 5,000.
    pub trees_max: usize,
    /// Branches from the root of a tree to a leaf: no row costs more comparisons than this times `trees_max`.
    /// Default 64.
    pub depth_max: usize,
    /// Features of a row, and width of everything computed from it. Default 1,000; more than 2,048 are never accepted.
    pub features_max: usize,
    /// Classes among which a model can decide. Default 100.
    pub classes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            model_bytes_max: 8 << 20,
            nodes_max: 500_000,
            trees_max: 5_000,
            depth_max: 64,
            features_max: 1_000,
            classes_max: 100,
        }
    }
}
