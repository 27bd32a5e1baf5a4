//! Entrances that are no RPC of `lingqu.v1`: a page for people, and the standard question whether a server is ready.
//!
//! They go through the same gate as the RPCs. A path that is neither here nor among the RPCs is refused.

use std::fmt::Write as _;

use lingqu_core::Role;

use super::{Admission, Kind, Server, kind_word};

/// The coordinator's page of checked call records.
pub const AUDIT: &str = "/audit";
/// The proof of one record of that page.
pub const AUDIT_RECEIPT: &str = "/audit/receipt";
/// The proofs of all records of that page.
pub const AUDIT_RECEIPTS: &str = "/audit/receipts";
/// The coordinator's page for people.
pub const CONSOLE: &str = "/console";
/// The standard health service of gRPC; its `Watch` stays shut.
pub const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

const ROWS: [(&str, Admission); 6] = [
    (AUDIT, AUDITING),
    (AUDIT_RECEIPT, AUDITING),
    (AUDIT_RECEIPTS, AUDITING),
    (
        CONSOLE,
        Admission {
            server: Server::Coordinator,
            kinds: &[Kind::Party],
            // The page is limited to the region of whoever looks, as the feed is.
            roles: &[Role::Regulator, Role::OperatingAgency],
            enrolled: true,
        },
    ),
    (HEALTH_CHECK, health_check(Server::Coordinator)),
    (HEALTH_CHECK, health_check(Server::Node)),
];

/// What the feed tells, it tells regulators; the page of the same records is for nobody else.
const AUDITING: Admission = Admission {
    server: Server::Coordinator,
    kinds: &[Kind::Party],
    roles: &[Role::Regulator],
    enrolled: true,
};

/// Whoever has a verified identity may ask whether a server is ready; it is told one word.
const fn health_check(server: Server) -> Admission {
    Admission {
        server,
        kinds: &[Kind::Party, Kind::Node, Kind::Coordinator],
        roles: &[],
        enrolled: false,
    }
}

/// The row of a path that is no RPC, if `server` has it.
pub fn beside(server: Server, path: &str) -> Option<Admission> {
    let row = ROWS
        .into_iter()
        .find(|(known, admission)| *known == path && admission.server == server);
    row.map(|(_, admission)| admission)
}

/// The table as Markdown.
pub fn beside_table() -> String {
    let mut table = String::from(
        "| path | served by | caller | one of the roles | enrolled |\n|---|---|---|---|---|\n",
    );
    for (path, row) in ROWS {
        let server = match row.server {
            Server::Coordinator => "coordinator",
            Server::Node => "node",
        };
        let kinds: Vec<&str> = row.kinds.iter().copied().map(kind_word).collect();
        let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
        let roles = if roles.is_empty() {
            "–".to_owned()
        } else {
            roles.join(", ")
        };
        let enrolled = if row.enrolled { "yes" } else { "–" };
        let _ = writeln!(
            table,
            "| `{path}` | {server} | {} | {roles} | {enrolled} |",
            kinds.join(", ")
        );
    }
    table
}

#[cfg(test)]
mod tests;
