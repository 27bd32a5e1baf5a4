//! `lingqu grant`: the path of authorisation from application to filed grant or credential, and what ends it.
//!
//! Grants as objects (`new`, `sign X.env`, `show X.env`, `file X.env`, `check`) are what a case ends in; the other
//! commands act on a case at the coordinator. `desk.rs` has what these share.

mod act;
mod apply;
mod case_json;
mod check;
mod credential;
mod desk;
mod file;
mod list;
mod revoke;
mod show;
mod sign;
mod submit;
mod suspend;

use clap::{Args, Subcommand};
use lingqu_core::case::Action;

use crate::command::object;
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
    /// Accept an application whose material is complete · 受理申请
    Accept(act::Act),
    /// Propose the agreement, and for a scenario its grant · 拟定协议
    Agree(apply::Agree),
    /// Apply for catalog or scenario authorisation · 申请授权
    Apply(apply::Apply),
    /// Check offline whether a node would accept it · 离线核对节点是否会接受
    Check(check::Check),
    /// E-credentials of catalog authorisations · 电子凭证
    Credential(credential::CredentialCommand),
    /// File a signed grant, or a case in which everybody has signed · 备案
    File(file::File),
    /// List the cases that the own party may see · 列出案件
    List(list::List),
    /// Make an unsigned object from a TOML file · 由 TOML 文件生成未签名对象
    New(object::New),
    /// Give an opinion in the compliance review · 出具合规性审核意见
    Opinion(act::Opine),
    /// Reject an application, or give a renewal up · 不予通过，或放弃续签
    Reject(act::Act),
    /// Propose the renewal of what is filed, before its end · 续签
    Renew(apply::Agree),
    /// Lift a suspension · 恢复授权
    Resume(suspend::Resume),
    /// Name everything that is missing, once · 一次性告知补正
    Return(act::Return),
    /// Pass the initial review · 初审通过
    Review(act::Act),
    /// Ask the coordinator to revoke it · 申请撤销
    Revoke(revoke::Revoke),
    /// Show a grant, or a case with its history and documents · 查看授权令牌或案件
    Show(show::Show),
    /// Sign a grant, or what is proposed in a case · 签署
    Sign(sign::Sign),
    /// Hand in what was signed offline · 提交离线签名文件
    Submit(submit::Submit),
    /// Suspend a grant until it is resumed · 暂停授权
    Suspend(suspend::Suspend),
    /// End a filed catalog authorisation · 终止目录授权
    Terminate(act::Act),
    /// Take an application back · 撤回申请
    Withdraw(act::Act),
}

impl Grant {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.verb {
            GrantVerb::Accept(verb) => verb.run(session, Action::Accept),
            GrantVerb::Agree(verb) | GrantVerb::Renew(verb) => verb.run(session),
            GrantVerb::Apply(verb) => verb.run(session),
            GrantVerb::Check(verb) => verb.run(session),
            GrantVerb::Credential(verb) => verb.run(session),
            GrantVerb::File(verb) => verb.run(session),
            GrantVerb::List(verb) => verb.run(session),
            GrantVerb::New(verb) => verb.run::<lingqu_core::grant::Grant>(session),
            GrantVerb::Opinion(verb) => verb.run(session),
            GrantVerb::Reject(verb) => verb.run(session, Action::Reject),
            GrantVerb::Resume(verb) => verb.run(session),
            GrantVerb::Return(verb) => verb.run(session),
            GrantVerb::Review(verb) => verb.run(session, Action::Pass),
            GrantVerb::Revoke(verb) => verb.run(session),
            GrantVerb::Show(verb) => verb.run(session),
            GrantVerb::Sign(verb) => verb.run(session),
            GrantVerb::Submit(verb) => verb.run(session),
            GrantVerb::Suspend(verb) => verb.run(session),
            GrantVerb::Terminate(verb) => verb.run(session, Action::Terminate),
            GrantVerb::Withdraw(verb) => verb.run(session, Action::Withdraw),
        }
    }
}
