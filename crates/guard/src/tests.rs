//! The guard from outside: templates over a small register of flights, whose entity is the aircraft.

mod answers;
mod boundary;
mod register;
