//! Bad input of every kind, at every entrance: each gets its code or its end, nothing is lost by it, and what comes after
//! it is served as if it had never been. What a caller does wrong inside a well-formed call is tested where calls are.

mod child;
mod configuration;
mod coordinator;
mod disk;
mod entrances;
mod idle;
mod raw;
mod sources;
mod strangers;
