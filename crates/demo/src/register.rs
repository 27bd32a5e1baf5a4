//! What the demo's nodes answer from: a public register of aircraft and flights, and an invented one of insured persons.
//!
//! The first ships with the product ([`transport`]), the second is drawn from a seed when the demo starts
//! ([`social_security`]). Both are written into the network's directory as the Parquet files that a unit would have.

mod calendar;
mod careers;
mod credit_code;
mod draws;
mod employers;
mod identity_number;
mod industries;
mod names;
mod persons;
pub mod social_security;
mod tables;
pub mod transport;

pub use calendar::{Date, Month};
pub use careers::{Record, Standing};
pub use credit_code::is_well_formed as is_credit_code;
pub use identity_number::is_well_formed as is_identity_number;
pub use industries::{INDUSTRIES, Industry};
pub use names::Sex;
pub use persons::{AGE_BANDS, Person, Persona, Persons, Spell, age_band};
