//! The safeguards by name, so that tests can take one away at a time and see that the red team notices.
//!
//! In every build but the crate's own unit tests [`stands`] is a constant: no configuration, variable or call can take a
//! safeguard away. `docs/testing.md` says how the check is run.

macro_rules! safeguards {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One thing that stands between protected rows and an answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Safeguard {
            $($(#[$doc])* $name,)*
        }

        #[cfg(test)]
        impl Safeguard {
            pub(crate) const ALL: &'static [Safeguard] = &[$(Safeguard::$name,)*];
        }
    };
}

safeguards! {
    /// Only columns that are open for it are aggregated.
    AggregateUse,
    /// Arguments are declared values.
    ArgumentsDeclared,
    /// Which cells are merged does not depend on the order of rows.
    AtomOrder,
    /// A block needs figures of enough contributors, none of whom stands out.
    BlockFigures,
    /// A block needs enough entities.
    BlockSize,
    /// Measures are brought into their bounds.
    Bounds,
    /// Clauses that no template needs are refused, also those that the engine drops in silence.
    Clauses,
    /// Conditions compare with declared values and edges.
    ConditionsDeclared,
    /// A figure needs enough contributors.
    Contributors,
    /// Nobody has most of a figure.
    Dominance,
    /// What one entity adds to a noisy number is limited.
    DpContribution,
    /// Every declared group of a statistic with noise is released, also an empty one.
    DpEmptyGroups,
    /// One entity counts in a limited number of noisy groups.
    DpGroups,
    /// Noisy numbers have noise.
    DpNoise,
    /// The entity is neither grouped by nor compared.
    EntityHidden,
    /// Numbers of entities that lie in several cells are rounded coarsely.
    EntityRounding,
    /// Rows without an entity do not count.
    EntityPresent,
    /// What a connector claims to have filtered is filtered again.
    Fence,
    /// Only columns that are open for it select.
    FilterUse,
    /// Only functions that the unit lists are computed.
    Functions,
    /// Only columns that are open for it group.
    GroupUse,
    /// The values of a sensitive column are not told apart where nearly all of a cell have one.
    Homogeneity,
    /// Public tables hang on columns that are open for it.
    JoinKey,
    /// A joined table has one row per key.
    JoinKeyOnce,
    /// Nobody can tell a part by how far the sum is from its declared bounds.
    KnownBounds,
    /// A group needs enough entities.
    MinimumGroup,
    /// The optimised logical plan is inferred again.
    OptimisedPlan,
    /// Nobody can tell the largest part.
    PPercent,
    /// The physical plan is read again.
    PhysicalPlan,
    /// What is computed above the Gate, and HAVING, see figures as they are released.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a test can show them more"))]
    ReleasedOnly,
    /// Counts are rounded.
    Rounding,
    /// A new load replaces a cell only if enough of it changes.
    SafeChanges,
    /// Another protected table is joined on the entity of one id space only.
    SecondTable,
    /// Windows see no group that is not shown.
    ShownGroups,
    /// Tables are named plainly: no samples, hints, versions, functions.
    TableForm,
    /// Only signs that a template needs.
    Tokens,
    /// What has no value above the Gate is unknown: no error, no infinity, no number that wraps.
    TotalArithmetic,
    /// Answers count blocks as a whole or not at all.
    WholeBlocks,
    /// The text is read to its end.
    WholeText,
    /// Cells that are in no block count in no answer.
    Withheld,
    /// A product that leaves out too much does not open.
    WithheldShare,
}

/// Whether the safeguard is in force. It is.
#[cfg(not(test))]
pub(crate) const fn stands(_: Safeguard) -> bool {
    true
}

/// Whether the safeguard is in force in this process. Tests take one away by the variable `LINGQU_GUARD_WITHOUT`, in a
/// process of its own.
#[cfg(test)]
pub(crate) fn stands(safeguard: Safeguard) -> bool {
    use std::sync::OnceLock;
    static WITHOUT: OnceLock<Option<Safeguard>> = OnceLock::new();
    let without = WITHOUT.get_or_init(|| {
        let name = std::env::var("LINGQU_GUARD_WITHOUT").ok()?;
        let mut all = Safeguard::ALL.iter();
        let known = all.find(|known| format!("{known:?}") == name);
        Some(*known.expect("the variable names a safeguard"))
    });
    *without != Some(safeguard)
}
