//! What can be done with every kind of signed object: write it, sign it, look at it, file it.

mod file;
mod new;
mod show;
mod sign;

use std::path::PathBuf;

use clap::Subcommand;

pub(crate) use new::New;
pub(crate) use show::Show;
pub(crate) use sign::Sign;

use crate::connection::{CoordinatorAt, Identity};

use crate::document::Document;
use crate::failure::Failure;
use crate::session::Session;

/// One of the four.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Make an unsigned object from a TOML file · 由 TOML 文件生成未签名对象
    New(new::New),
    /// Add a signature · 添加签名
    Sign(sign::Sign),
    /// Show what it says and who signed · 查看内容与签名方
    Show(show::Show),
    /// File it with the coordinator · 向协调端备案
    File(file::File),
}

impl Verb {
    /// Show what is in a file.
    pub(crate) fn show(file: PathBuf, json: bool) -> Verb {
        Verb::Show(show::Show { file, json })
    }

    /// File what is in a file.
    pub(crate) fn file(file: PathBuf, coordinator: CoordinatorAt, identity: Identity) -> Verb {
        Verb::File(file::File {
            file,
            coordinator,
            identity,
        })
    }

    /// Does it with an object of this kind.
    pub(crate) fn run<T: Document>(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Verb::New(verb) => verb.run::<T>(session),
            Verb::Sign(verb) => verb.run::<T>(session),
            Verb::Show(verb) => verb.run::<T>(session),
            Verb::File(verb) => verb.run::<T>(session),
        }
    }
}

#[cfg(test)]
mod tests;
