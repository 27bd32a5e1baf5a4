//! The workflow: from an application to a filed grant or a credential.
//!
//! A case is the fold of the signed acts on it ([`case::Case`]); the same code takes a new act and reads the stored ones
//! back, so a stored case that its signatures do not bear out is not opened. Every act is the act of a party: the
//! coordinator checks, stores, logs and only then acknowledges. What it adds is the day of acceptance and its due date,
//! whose opinions are needed, and in the end the filing and the credential. None of these makes a node answer.

mod agreeing;
mod applying;
mod calendar;
pub(crate) mod case;
mod entering;
mod reviewing;
mod routing;
pub(crate) mod view;

#[cfg(test)]
mod tests;
