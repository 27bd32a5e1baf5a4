//! How the parts of Lingqu reach each other: mutual TLS, verified identities, the accept loop, error codes on the wire.
//!
//! In scope: who is at the other end of a connection and which authority says so, rustls configurations that reload,
//! serving and dialling, `ErrorCode` ⇄ gRPC status and HTTP problem, the access table's enforcement, a development PKI.
//! Out of scope: what a caller may do (`lingqu-core`), the services themselves, revocation lists of certificates
//! (parties and grants are revoked, per call), request envelopes behind a gateway.
//! Start reading at [`identity`], then [`authority`], then [`mod@serve`].

pub mod access;
pub mod authority;
pub mod client;
pub mod connection;
pub mod identity;
pub mod limits;
pub mod pki;
pub mod reload;
pub mod serve;
pub mod signing_key;
pub mod status;
mod strangers;
pub mod tls;

pub use access::AccessLayer;
pub use authority::{Authorities, Authority};
pub use client::{ClientTls, ConnectError, connect, connect_lazy};
pub use connection::{Connected, Connections, StrangerEnd};
pub use identity::{Peer, PeerId};
pub use limits::Limits;
pub use reload::{ReloadableTls, TlsFiles};
pub use serve::serve;
pub use status::{code_of, problem_of, problem_of_fault, status_of, status_of_fault, status_with};

#[cfg(test)]
mod testbed;
