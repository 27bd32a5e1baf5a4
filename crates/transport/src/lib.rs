//! TLS, identities, accept loop, error codes on the wire, development PKI.
