//! Integration tests over real sockets and real processes. One binary, one module a subject.

mod canary;
mod certificates;
mod docs;
mod grants;
mod impostor;
mod lagged;
mod network;
mod replay;
mod roles;
mod stolen_coordinator;
mod story;
mod streams;
