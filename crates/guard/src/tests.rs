//! The guard from outside: templates over a small register of flights, whose entity is the aircraft.

mod answers;
mod attacks;
mod boundary;
mod chains;
mod docs;
mod failures;
mod honest;
mod neighbours;
mod policies;
mod red;
pub(crate) mod register;
mod released;
