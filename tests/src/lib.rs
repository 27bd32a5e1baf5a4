//! Integration tests over real sockets and real processes.
