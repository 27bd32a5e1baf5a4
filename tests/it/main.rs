//! Integration tests over real sockets and real processes. One binary, one module a subject.

mod crash;
mod story;
