//! Which package of the workspace may use which: one table, and the check against it.
//!
//! The table is an allow-list over normal and build dependencies. A package without a row, an
//! edge without an entry, and a row without a package are all violations, so the table cannot
//! fall behind the workspace. Dev-dependencies are free, except where [`NEVER`] says otherwise.

#[cfg(test)]
mod tests;

use crate::workspace::{Kind, Package};
use std::collections::BTreeSet;
use std::fmt;

/// What one package may use of the others.
pub(crate) struct Row {
    pub(crate) package: &'static str,
    pub(crate) may_use: MayUse,
    /// Why the arrows point this way and not the other.
    pub(crate) why: &'static str,
}

/// The allowed targets of a package's edges.
pub(crate) enum MayUse {
    Anything,
    Only(&'static [&'static str]),
}

use MayUse::{Anything, Only};

/// Every package of the workspace, the lowest layer first.
pub(crate) const ROWS: &[Row] = &[
    Row {
        package: "lingqu-policy",
        may_use: Only(&[]),
        why: "what a unit allows must be readable, and usable by others, without the rest",
    },
    Row {
        package: "lingqu-tlog",
        may_use: Only(&[]),
        why: "a published format knows nothing of our domain, so others can check it alone",
    },
    Row {
        package: "lingqu-matching",
        may_use: Only(&[]),
        why: "comparing values must not depend on who asks or on what is recorded about it",
    },
    Row {
        package: "lingqu-scoring",
        may_use: Only(&[]),
        why: "a score is a function of a model and its inputs; who asks for it is not its concern",
    },
    Row {
        package: "lingqu-guard",
        may_use: Only(&["lingqu-policy"]),
        why: "disclosure control must be usable by any system on DataFusion, not only by a node",
    },
    Row {
        package: "lingqu-telemetry",
        may_use: Only(&[]),
        why: "numbers and spans are named by those who emit them; how they leave is one concern",
    },
    Row {
        package: "lingqu-core",
        may_use: Only(&["lingqu-policy", "lingqu-tlog"]),
        why: "decisions are made over policies and recorded in log formats, never over a wire",
    },
    Row {
        package: "lingqu-testkit",
        may_use: Only(&["lingqu-core", "lingqu-tlog"]),
        why: "fake clocks and builders serve every layer above, so they stand just above core",
    },
    Row {
        package: "lingqu-journal",
        may_use: Only(&["lingqu-core", "lingqu-policy", "lingqu-tlog"]),
        why: "durability knows records and their format; it must not know how they travel",
    },
    Row {
        package: "lingqu-proto",
        may_use: Only(&["lingqu-core", "lingqu-policy", "lingqu-tlog"]),
        why: "the wire is converted into domain types once, so the domain never sees the wire",
    },
    Row {
        package: "lingqu-transport",
        may_use: Only(&["lingqu-core", "lingqu-proto", "lingqu-tlog"]),
        why: "identities and error codes cross the wire here; what is served stands above",
    },
    Row {
        package: "lingqu-client",
        may_use: Only(&[
            "lingqu-core",
            "lingqu-proto",
            "lingqu-tlog",
            "lingqu-transport",
        ]),
        why: "a caller checks receipts with public formats only, without any code of a server",
    },
    Row {
        package: "lingqu-witness",
        may_use: Only(&["lingqu-core", "lingqu-tlog", "lingqu-transport"]),
        why: "whoever watches a coordinator must not share its code, only published formats",
    },
    Row {
        package: "lingqu-workspace-hack",
        may_use: Only(&[]),
        why: "it holds no code, only features of others' crates",
    },
    Row {
        package: "lingqu-connector-sdk",
        may_use: Only(&[]),
        why: "a stranger writes a connector against this alone; what is done with its rows is not its concern",
    },
    Row {
        package: "lingqu-connectors",
        may_use: Only(&["lingqu-connector-sdk"]),
        why: "reading a source must not depend on who asks or what may leave",
    },
    Row {
        package: "lingqu-odbc",
        may_use: Only(&[]),
        why: "vendor drivers run in a process of their own, which shares nothing with the node",
    },
    Row {
        package: "lingqu-node",
        may_use: Only(&[
            "lingqu-connector-sdk",
            "lingqu-connectors",
            "lingqu-core",
            "lingqu-guard",
            "lingqu-journal",
            "lingqu-matching",
            "lingqu-policy",
            "lingqu-proto",
            "lingqu-scoring",
            "lingqu-telemetry",
            "lingqu-tlog",
            "lingqu-transport",
        ]),
        why: "a unit decides with what lies on its own machine, so it links no other service",
    },
    Row {
        package: "lingqu-coordinator",
        may_use: Only(&[
            "lingqu-core",
            "lingqu-journal",
            "lingqu-policy",
            "lingqu-proto",
            "lingqu-telemetry",
            "lingqu-tlog",
            "lingqu-transport",
        ]),
        why: "it registers and mirrors; it has no means of evaluating a call, so no `matching`",
    },
    Row {
        package: "lingqu-demo",
        may_use: Only(&[
            "lingqu-client",
            "lingqu-coordinator",
            "lingqu-core",
            "lingqu-journal",
            "lingqu-node",
            "lingqu-policy",
            "lingqu-proto",
            "lingqu-tlog",
            "lingqu-transport",
        ]),
        why: "the story runs a whole network in one process, and nothing of a network needs it",
    },
    Row {
        package: "lingqu-cli",
        may_use: Only(&[
            "lingqu-client",
            "lingqu-connector-sdk",
            "lingqu-connectors",
            "lingqu-coordinator",
            "lingqu-core",
            "lingqu-demo",
            "lingqu-journal",
            "lingqu-node",
            "lingqu-policy",
            "lingqu-proto",
            "lingqu-telemetry",
            "lingqu-tlog",
            "lingqu-transport",
            "lingqu-witness",
        ]),
        why: "the one binary stands on top of everything, so that everything is usable without it",
    },
    Row {
        package: "lingqu-benches",
        may_use: Only(&[
            "lingqu-client",
            "lingqu-connector-sdk",
            "lingqu-connectors",
            "lingqu-core",
            "lingqu-demo",
            "lingqu-guard",
            "lingqu-journal",
            "lingqu-policy",
            "lingqu-proto",
            "lingqu-scoring",
            "lingqu-tlog",
            "lingqu-transport",
        ]),
        why: "measurements go through the doors a user has, not through the inside of a service",
    },
    Row {
        package: "lingqu-tests",
        may_use: Anything,
        why: "integration tests look at every layer, and nothing is built on tests",
    },
    Row {
        package: "lingqu-codegen",
        may_use: Only(&[]),
        why: "it writes source that others compile; using them would make a circle",
    },
    Row {
        package: "xtask",
        may_use: Only(&[]),
        why: "chores must work, and start within seconds, when the workspace does not compile",
    },
];

/// The package that only tests may use.
const TESTKIT: &str = "lingqu-testkit";

/// The package without code, which any package that is not pure may use.
const FEATURES: &str = "lingqu-workspace-hack";

/// Pairs of which the first must not reach the second by any path, dev-dependencies included.
const NEVER: &[(&str, &str, &str)] = &[(
    "lingqu-node",
    "lingqu-coordinator",
    "a unit stays sovereign: no code of the coordinator runs in its node",
)];

/// Packages that compute and do nothing else.
const PURE: &[&str] = &[
    "lingqu-core",
    "lingqu-matching",
    "lingqu-policy",
    "lingqu-tlog",
];

/// What has no place in a pure package: runtimes, wires, stores and their companions (`tokio-…`).
const IMPURE: &[&str] = &[
    "hyper", "prost", "rustls", "sqlx", "tokio", "tonic", "tracing",
];

/// Something that differs from the table.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Violation {
    /// An edge the table does not have.
    Edge {
        from: String,
        to: String,
        why: &'static str,
    },
    /// A pure package uses a runtime, a wire or a store.
    Impure { package: String, dependency: String },
    /// The table has no row for the package.
    NoRow(String),
    /// A forbidden package is reached, by this path.
    Reaches { path: String, why: &'static str },
    /// The table has a row for a package that is not there.
    StaleRow(&'static str),
    /// Test support is used outside tests.
    TestSupport(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge { from, to, why } => write!(f, "{from} must not use {to}: {why}"),
            Self::Impure {
                package,
                dependency,
            } => write!(f, "{package} is pure and must not use {dependency}"),
            Self::NoRow(package) => {
                write!(
                    f,
                    "{package} has no row in xtask/src/layers.rs: say what it may use"
                )
            }
            Self::Reaches { path, why } => write!(f, "{path}: {why}"),
            Self::StaleRow(package) => {
                write!(
                    f,
                    "{package} has a row in xtask/src/layers.rs, but is no package"
                )
            }
            Self::TestSupport(package) => {
                write!(f, "{package} may use {TESTKIT} as a dev-dependency only")
            }
        }
    }
}

/// Whether the package must compute and do nothing else.
pub(crate) fn is_pure(package: &str) -> bool {
    PURE.contains(&package)
}

/// Everything in which the workspace differs from the table.
pub(crate) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        match ROWS.iter().find(|row| row.package == package.name) {
            Some(row) => found.extend(edges_outside(row, package, packages)),
            None => found.push(Violation::NoRow(package.name.clone())),
        }
        if is_pure(&package.name) {
            found.extend(impure_dependencies(package));
        }
    }
    for &(from, to, why) in NEVER {
        found.extend(path_between(packages, from, to).map(|path| Violation::Reaches { path, why }));
    }
    for row in ROWS {
        if member(packages, row.package).is_none() {
            found.push(Violation::StaleRow(row.package));
        }
    }
    found
}

fn edges_outside(row: &Row, package: &Package, packages: &[Package]) -> Vec<Violation> {
    let Only(allowed) = row.may_use else {
        return Vec::new();
    };
    linked(package)
        .filter(|name| *name != FEATURES || is_pure(&package.name))
        .filter(|name| member(packages, name).is_some() && !allowed.contains(name))
        .map(|name| match name {
            TESTKIT => Violation::TestSupport(package.name.clone()),
            _ => Violation::Edge {
                from: package.name.clone(),
                to: name.to_owned(),
                why: row.why,
            },
        })
        .collect()
}

fn impure_dependencies(package: &Package) -> Vec<Violation> {
    linked(package)
        .filter(|name| {
            IMPURE.iter().any(|impure| {
                let companion = name.strip_prefix(impure);
                companion.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
        })
        .map(|name| Violation::Impure {
            package: package.name.clone(),
            dependency: name.to_owned(),
        })
        .collect()
}

/// The names of what is linked into the package or its build: everything but dev-dependencies.
fn linked(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != Kind::Dev)
        .map(|dependency| dependency.name.as_str())
}

/// A path of packages from one to the other, written `a -> b -> c`, if there is one.
///
/// The first step may be a dev-dependency, since the tests of a package are its code too; the
/// further ones may not, since dev-dependencies do not reach the packages above.
fn path_between(packages: &[Package], from: &str, to: &str) -> Option<String> {
    let start = member(packages, from)?;
    let mut seen = BTreeSet::from([from]);
    let mut ways: Vec<Vec<&str>> = start
        .dependencies
        .iter()
        .map(|dependency| vec![from, dependency.name.as_str()])
        .collect();
    while let Some(way) = ways.pop() {
        let last = *way.last().expect("every way starts with two packages");
        if last == to {
            return Some(way.join(" -> "));
        }
        let Some(package) = member(packages, last).filter(|_| seen.insert(last)) else {
            continue;
        };
        ways.extend(linked(package).map(|next| [way.as_slice(), &[next]].concat()));
    }
    None
}

fn member<'a>(packages: &'a [Package], name: &str) -> Option<&'a Package> {
    packages.iter().find(|package| package.name == name)
}
