//! Who may call which RPC at all: one row per RPC, and an RPC without a row does not compile.
//!
//! This is the first gate, on the kind and the roles of a verified caller. What a call may do is decided behind it: at
//! a node by the grant, at the coordinator by the signatures on what is filed. The table in `docs/access.md` is made
//! from this one.

mod beside;

use std::fmt::Write as _;

use lingqu_core::{ErrorCode, Role};

use crate::Rpc;

pub use beside::{
    AUDIT, AUDIT_RECEIPT, AUDIT_RECEIPTS, CONSOLE, HEALTH_CHECK, beside, beside_table,
};

/// What a verified certificate speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A coordinator. It calls nobody: nodes dial it, and no node ever answers it.
    Coordinator,
    /// A node.
    Node,
    /// A party.
    Party,
}

/// Who serves an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The coordinator.
    Coordinator,
    /// A node.
    Node,
}

/// What a caller must be to use an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who serves the RPC.
    pub server: Server,
    /// The kinds of caller that may use it.
    pub kinds: &'static [Kind],
    /// Of these a party needs at least one; empty means that roles do not matter. Nodes have none and need none.
    pub roles: &'static [Role],
    /// Whether the caller must be enrolled and not suspended. A node does not keep the register of parties, so it asks
    /// the grant instead.
    pub enrolled: bool,
}

/// The row of `rpc`.
pub fn admission(rpc: Rpc) -> Admission {
    let (server, kinds, roles, enrolled): (_, &[Kind], &[Role], _) = match rpc {
        // Regulators follow what happens in their region; the handler checks the region.
        Rpc::AuditFollow => (
            Server::Coordinator,
            &[Kind::Party],
            &[Role::Regulator],
            true,
        ),
        // The unit names the regulators in the node's configuration; the handler asks for the caller's signed order.
        Rpc::BodiesOpenBodies => (Server::Node, &[Kind::Party], &[], false),
        // The grant decides, offline, where the data is read.
        Rpc::CallsExplain
        | Rpc::CallsLinks
        | Rpc::CallsQuery
        | Rpc::CallsScore
        | Rpc::CallsVerify
        | Rpc::CallsVerifyStream => (Server::Node, &[Kind::Party], &[], false),
        // The one-time code stands for the enrolment that is still to come.
        Rpc::EnrolmentEnrol => (Server::Coordinator, &[Kind::Party, Kind::Node], &[], false),
        Rpc::EnrolmentIssueCode => (
            Server::Coordinator,
            &[Kind::Party],
            &[Role::OperatingAgency],
            true,
        ),
        // A node replicates its own stream, and gets back its own; the handler checks the origin.
        Rpc::MirrorEntries | Rpc::MirrorReplicate => {
            (Server::Coordinator, &[Kind::Node], &[], true)
        }
        // The handler checks that every required signer signed, whoever hands the object in.
        Rpc::RegistryFile | Rpc::RegistryLift | Rpc::RegistryRevoke | Rpc::RegistrySuspend => (
            Server::Coordinator,
            &[Kind::Party],
            &[Role::OperatingAgency, Role::DataSourceUnit],
            true,
        ),
        Rpc::SyncWatch => (Server::Coordinator, &[Kind::Node], &[], true),
        // Who does what in a case, the case says; the handler checks it against what was signed.
        Rpc::WorkflowAct => (
            Server::Coordinator,
            &[Kind::Party],
            &[
                Role::CatalogLicensee,
                Role::OperatingAgency,
                Role::ScenarioLicensee,
            ],
            true,
        ),
        // An operating agency is let in to be told that it may not apply.
        Rpc::WorkflowApply => (
            Server::Coordinator,
            &[Kind::Party],
            &[
                Role::CatalogLicensee,
                Role::OperatingAgency,
                Role::ScenarioLicensee,
            ],
            true,
        ),
        // Shown is only what the caller takes part in, or what lies in a regulator's region.
        Rpc::WorkflowList | Rpc::WorkflowShow => (Server::Coordinator, &[Kind::Party], &[], true),
        Rpc::WorkflowOpine => (
            Server::Coordinator,
            &[Kind::Party],
            &[
                Role::DataSourceUnit,
                Role::ImplementingAgency,
                Role::OperatingAgency,
            ],
            true,
        ),
        Rpc::WorkflowPropose => (
            Server::Coordinator,
            &[Kind::Party],
            &[Role::OperatingAgency],
            true,
        ),
        Rpc::WorkflowSign => (
            Server::Coordinator,
            &[Kind::Party],
            &[
                Role::CatalogLicensee,
                Role::DataSourceUnit,
                Role::ScenarioLicensee,
            ],
            true,
        ),
    };
    Admission {
        server,
        kinds,
        roles,
        enrolled,
    }
}

impl Admission {
    /// Whether a caller of `kind`, none if it showed no certificate, may use the RPC. `enrolled` and `roles` are what
    /// the register says of it now.
    ///
    /// # Errors
    /// `CALLER_CERT_UNTRUSTED` without a certificate, `CALLER_ROLE_FORBIDDEN` for another kind or without a role,
    /// `NOT_ENROLLED`.
    pub fn admits(
        &self,
        kind: Option<Kind>,
        enrolled: bool,
        roles: &[Role],
    ) -> Result<(), ErrorCode> {
        let kind = kind.ok_or(ErrorCode::CallerCertUntrusted)?;
        if !self.kinds.contains(&kind) {
            return Err(ErrorCode::CallerRoleForbidden);
        }
        if self.enrolled && !enrolled {
            return Err(ErrorCode::NotEnrolled);
        }
        let needs_role = kind == Kind::Party && !self.roles.is_empty();
        if needs_role && !self.roles.iter().any(|role| roles.contains(role)) {
            return Err(ErrorCode::CallerRoleForbidden);
        }
        Ok(())
    }
}

/// The table as Markdown.
pub fn access_table() -> String {
    let mut table = String::from(
        "| RPC | served by | caller | one of the roles | enrolled |\n|---|---|---|---|---|\n",
    );
    for rpc in Rpc::ALL {
        let row = admission(*rpc);
        let server = match row.server {
            Server::Coordinator => "coordinator",
            Server::Node => "node",
        };
        let kinds: Vec<&str> = row.kinds.iter().copied().map(kind_word).collect();
        let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
        let _ = writeln!(
            table,
            "| `{}` | {server} | {} | {} | {} |",
            rpc.path(),
            kinds.join(", "),
            if roles.is_empty() {
                "–".to_owned()
            } else {
                roles.join(", ")
            },
            if row.enrolled { "yes" } else { "–" },
        );
    }
    table
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Coordinator => "coordinator",
        Kind::Node => "node",
        Kind::Party => "party",
    }
}

#[cfg(test)]
mod tests;
