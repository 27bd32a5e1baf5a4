//! `lingqu doctor`: examines this machine, a service's files and its coordinator, and says what to do.
//!
//! Exit code 0 when nothing failed; warnings are printed and, with `--strict`, count as failures. So it can stand before
//! a service's start without a certificate that ends next month keeping the service down.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::doctor::{Findings, Level, Service, examine};
use crate::failure::Failure;
use crate::session::Session;

/// `doctor [--config node.toml|coordinator.toml] [--strict]`
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The configuration of a node or a coordinator; without it only the machine is examined · 节点或协调端配置文件
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Exit code 1 for warnings too · 存在警告时也返回退出码1
    #[arg(long)]
    strict: bool,
}

impl Doctor {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (service, refused) = match self.config.as_deref().map(Service::read) {
            None => (None, None),
            Some(Ok(service)) => (Some(service), None),
            Some(Err(failure)) => (None, Some(failure)),
        };
        let mut findings = examine(service.as_ref(), session)?;
        if let Some(failure) = refused {
            let (code, reason) = (failure.code(), failure.reason());
            findings.fail("configuration", code, reason.clone(), reason);
        } else if let Some(service) = &service {
            let id = service.id();
            findings.ok(
                "configuration",
                format!("of {id}, every key is known"),
                format!("{id} 的配置，所有键均可识别"),
            );
        }
        print(&findings, session)?;
        let failed = findings.count(Level::Fail);
        let warned = findings.count(Level::Warn);
        if failed > 0 || (self.strict && warned > 0) {
            return Err(Failure::CheckFailed {
                en: format!("{failed} failed, {warned} warnings"),
                zh: "检查发现问题，处理办法见上",
            });
        }
        Ok(())
    }
}

fn print(findings: &Findings, session: &mut Session<'_>) -> Result<(), Failure> {
    let count = |level| findings.count(level);
    let (ok, warn, fail) = (count(Level::Ok), count(Level::Warn), count(Level::Fail));
    if session.as_json {
        for finding in findings.iter() {
            session.json(&finding.json())?;
        }
        return session.json(&json!({ "summary": { "ok": ok, "warn": warn, "fail": fail } }));
    }
    let language = session.language;
    for finding in findings.iter() {
        session.line(finding.text(language))?;
    }
    session.line(format_args!(
        "{ok} ok, {warn} warnings, {fail} failed · 正常 {ok}，警告 {warn}，失败 {fail}"
    ))
}
