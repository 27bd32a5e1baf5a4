//! `lingqu product`: registered products.

mod check;

use clap::{Args, Subcommand};

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Product {
    #[command(subcommand)]
    verb: ProductVerb,
}

#[derive(Subcommand, Debug)]
enum ProductVerb {
    #[command(flatten)]
    Object(Verb),
    /// Say in plain words what it would answer, and whether it could run · 用平实语言说明其内容，并检查能否运行
    Check(check::Check),
}

impl Product {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.verb {
            ProductVerb::Object(verb) => verb.run::<lingqu_core::product::Product>(session),
            ProductVerb::Check(check) => check.run(session),
        }
    }
}
