//! Integration tests over real sockets and real processes. One binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test a panic is the failure it should be, and what is printed is its report"
)]

mod archives;
mod authorisation;
mod bad_input;
mod binary;
mod bodies;
mod canary;
mod certificates;
mod clients;
mod crash;
mod deploy;
mod destruction;
mod docs;
mod doctor;
mod explain;
mod flight;
mod foreign;
mod forward;
mod grants;
mod headed_proofs;
mod heads;
mod honest;
mod http;
mod impostor;
mod lagged;
mod loads;
mod mirrors;
mod network;
mod noisy;
mod observed;
mod pruned;
mod refused_words;
mod regulator;
mod replay;
mod restored;
mod roles;
mod source_commands;
mod sources_db;
mod statistics;
mod stolen_coordinator;
mod story;
mod streams;
mod subject_limits;
mod succession;
mod succession_back;
mod succession_called;
mod succession_read;
mod taken_back;
mod witnessed;
