//! `lingqu grant`: grants (授权令牌), checked as a node would, and their revocation.

mod check;
mod revoke;

use clap::{Args, Subcommand};

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Grant {
    #[command(subcommand)]
    verb: GrantVerb,
}

#[derive(Subcommand, Debug)]
enum GrantVerb {
    #[command(flatten)]
    Object(Verb),
    /// Check offline whether a node would accept it · 离线核对节点是否会接受
    Check(check::Check),
    /// Ask the coordinator to revoke it · 申请撤销
    Revoke(revoke::Revoke),
}

impl Grant {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.verb {
            GrantVerb::Object(verb) => verb.run::<lingqu_core::grant::Grant>(session),
            GrantVerb::Check(verb) => verb.run(session),
            GrantVerb::Revoke(verb) => verb.run(session),
        }
    }
}
