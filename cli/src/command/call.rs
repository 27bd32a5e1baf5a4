//! `lingqu call`: calls a product at a node, and gives the answer only with a receipt that proves its record.
//!
//! The three kinds of product are three commands, and one explains a call of any of them; what is stated and what is
//! kept is the same for all.

mod asking;
mod explain;
mod query;
mod score;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::session::Session;

pub(crate) use asking::level;

/// Which kind of product.
#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(subcommand)]
    command: CallCommand,
}

#[derive(Subcommand, Debug)]
enum CallCommand {
    /// Ask what a call would answer, under which rules and at what cost, without touching data · 调用说明，不触及数据
    Explain(Box<explain::Explain>),
    /// Ask a statistic, and print the table that its unit releases · 统计查询
    Query(Box<query::Query>),
    /// Ask a model about one subject · 模型评分
    Score(Box<score::Score>),
    /// Verify a claim · 核验
    Verify(Box<verify::Verify>),
}

impl Call {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            CallCommand::Explain(explain) => explain.run(session),
            CallCommand::Query(query) => query.run(session),
            CallCommand::Score(score) => score.run(session),
            CallCommand::Verify(verify) => verify.run(session),
        }
    }
}
