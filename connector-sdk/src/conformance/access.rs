//! Reaching the source, and only reading it.

use crate::{SourceError, WriteProbe};

use super::Verdict;
use super::report::text;
use super::subject::Subject;

pub(super) async fn reach(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let health = subject.health().await?;
    Ok(if health.server.trim().is_empty() {
        Verdict::failed(text(
            "the source's product and version are not stated",
            "未说明数据源的产品与版本",
        ))
    } else {
        Verdict::passed()
    })
}

pub(super) async fn encrypted(subject: &mut Subject) -> Result<Verdict, SourceError> {
    Ok(match subject.health().await?.verified_tls {
        Some(true) => Verdict::passed(),
        Some(false) => Verdict::failed(text(
            "the connection is not encrypted, or the server's certificate is not verified",
            "连接未加密，或未验证服务端证书",
        )),
        None => Verdict::not_applicable(text(
            "there is no connection to encrypt",
            "不存在需要加密的连接",
        )),
    })
}

pub(super) async fn account(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let may_write = subject.health().await?.may_write;
    Ok(if may_write.is_empty() {
        Verdict::passed()
    } else {
        let listed = may_write.join(", ");
        Verdict::failed(text(
            format!("take these privileges from the account: {listed}"),
            format!("请收回账户的下列权限：{listed}"),
        ))
    })
}

pub(super) async fn attempt(subject: &mut Subject) -> Result<Verdict, SourceError> {
    if !subject.options.probe_write {
        return Ok(Verdict::not_applicable(text(
            "trying to write was not asked for",
            "未要求进行写入尝试",
        )));
    }
    let probe = subject.connector.probe_write().await;
    Ok(match subject.heard(probe)? {
        WriteProbe::Accepted { what } => Verdict::failed(text(
            format!("the source accepted `{what}`; it was undone"),
            format!("数据源接受了 `{what}`，已撤销"),
        )),
        WriteProbe::NoMeans => Verdict::passed_on(text(
            "the connector has no statement or request that writes",
            "适配器没有任何写入语句或请求",
        )),
        WriteProbe::NotOffered => Verdict::not_applicable(text(
            "the connector has no attempt: let it implement `probe_write`",
            "适配器未提供写入尝试，请实现 `probe_write`",
        )),
        WriteProbe::Refused { code } => {
            let code = code.unwrap_or_default();
            Verdict::passed_on(text(
                format!("refused {code}").trim_end(),
                format!("已拒绝 {code}").trim_end(),
            ))
        }
    })
}

pub(super) fn secrets(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let secrets = &subject.fixture.secrets;
    if secrets.is_empty() {
        return Ok(Verdict::not_applicable(text(
            "no secret was named: name them in the fixture (`secrets`); a source without secrets has nothing to show",
            "未指明机密：请在测试夹具中指明（`secrets`）；没有机密的数据源无从泄露",
        )));
    }
    let shown = format!("{:?} {:#?}", subject.connector, subject.connector);
    let leaks = secrets.iter().any(|secret| shown.contains(secret.as_str()));
    Ok(if leaks {
        Verdict::failed(text(
            "`Debug` of the connector shows a secret",
            "适配器的调试输出含有机密",
        ))
    } else {
        Verdict::passed()
    })
}
