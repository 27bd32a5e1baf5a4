//! `new`: an unsigned object from a TOML file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::document::{Document, author};
use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, written};

/// `new FILE.toml --out X.env`
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The TOML file · TOML 文件
    #[arg(value_name = "FILE.toml")]
    pub(super) file: PathBuf,
    /// Where the object goes; must not exist yet · 输出文件
    #[arg(long, value_name = "X.env")]
    pub(super) out: PathBuf,
}

impl New {
    pub(crate) fn run<T: Document>(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let text = written::text(&self.file)?;
        let base = self.file.parent().unwrap_or(Path::new("."));
        let envelope =
            author::<T>(&text, base).map_err(|error| Failure::file(&self.file, error))?;
        envelope_file::create(&self.out, &envelope)?;
        let digest = envelope.digest();
        session.answer(digest, &json!({ "digest": digest.to_string() }))
    }
}
