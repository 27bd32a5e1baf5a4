//! The commands, one a file.

mod adopt;
mod approval;
mod audit;
mod call;
mod coordinator;
mod demo;
mod destruction;
mod doctor;
mod grant;
mod node;
mod object;
mod party;
mod pki;
mod policy;
mod product;
mod source;
mod status;
mod stop;
mod stream;
mod witness;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::language::Language;
use crate::log;
use crate::session::Session;

/// What a command that serves logs unless `LINGQU_LOG` says otherwise.
const LOG_SERVING: &str = "warn,lingqu=info";
/// What the demo logs: its story takes things down on purpose, and says so itself.
const LOG_DEMO: &str = "error";
/// What every other command logs.
const LOG_QUIET: &str = "warn";

/// Lingqu 灵渠: the answer leaves, the data never does · 数据可用不可见，原始数据不出域.
#[derive(Parser, Debug)]
#[command(name = "lingqu", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Which language comes first in messages; by default that of the environment · 提示信息的首选语言
    #[arg(long, global = true, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Data, and what went wrong, as one JSON object a line · 结果与错误均以 JSON 输出，每行一个对象
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes · 退出码:
  0  done, and what was checked holds · 完成，核验通过
  1  a check failed, or the other side refused · 核验未通过，或被对方拒绝
  2  wrong usage, or a file, setting or address cannot be used · 用法错误，或输入无法使用
  3  consistent, NOT authenticated (audit verify without --trust) · 内容自洽，但未经认证
  4  the other side could not be reached · 无法连接对方

Standard output is data, standard error is for people. LINGQU_LOG sets what is logged, for example `warn,lingqu=debug`.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Take a signed object in at the own node, without the coordinator · 在本地节点直接采纳已签名对象
    Adopt(adopt::Adopt),
    /// The unit's approval of a product version · 数源单位对产品的批准
    Approval(approval::Approval),
    /// Check receipts, archives and evidence offline; follow and export call records · 离线核验回执、归档与证据，订阅及导出调用审计
    Audit(audit::Audit),
    /// Call a product at a node · 调用数据产品
    Call(call::Call),
    /// Run a coordinator · 运行协调端
    Coordinator(coordinator::Coordinator),
    /// A whole network on this machine, and the story that it tells · 单机演示
    Demo(demo::Demo),
    /// A licensee's confirmation of destruction, and the node's record of it · 销毁确认
    Destruction(destruction::Destruction),
    /// Examine this machine, its files and its coordinator, and say what to do · 检查本机环境、文件与协调端并给出处理办法
    Doctor(doctor::Doctor),
    /// Grants · 授权令牌
    Grant(grant::Grant),
    /// Run a node, or enrol one · 运行或登记数源节点
    Node(node::Node),
    /// Enrol parties · 登记参与方
    Party(party::Party),
    /// Certificates for development, signing keys, verifier keys · 开发用证书与签名密钥
    Pki(pki::Pki),
    /// The unit's policy on a resource · 数源单位的使用策略
    Policy(policy::Policy),
    /// Registered products · 数据产品
    Product(product::Product),
    /// The resources of a node, as it would read them · 数据资源
    Source(source::Source),
    /// How the own node is · 查看本地节点状态
    Status(status::Status),
    /// The unit's own stop, and lifting it, without any network · 数源单位本地叫停或恢复
    Stop(stop::Stop),
    /// The end of a node's stream and the next one; journals of past streams · 日志流的更替与留存
    Stream(stream::Stream),
    /// Run a witness of coordinators' head logs · 运行头部日志见证服务
    Witness(witness::Witness),
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.language = self.lang.unwrap_or(session.language);
        session.as_json |= self.json;
        log::begin(self.command.log())?;
        match self.command {
            Command::Adopt(command) => command.run(session),
            Command::Approval(command) => command.run(session),
            Command::Audit(command) => command.run(session),
            Command::Call(command) => command.run(session),
            Command::Coordinator(command) => command.run(session),
            Command::Demo(command) => command.run(session),
            Command::Destruction(command) => command.run(session),
            Command::Doctor(command) => command.run(session),
            Command::Grant(command) => command.run(session),
            Command::Node(command) => command.run(session),
            Command::Party(command) => command.run(session),
            Command::Pki(command) => command.run(session),
            Command::Policy(command) => command.run(session),
            Command::Product(command) => command.run(session),
            Command::Source(command) => command.run(session),
            Command::Status(command) => command.run(session),
            Command::Stop(command) => command.run(session),
            Command::Stream(command) => command.run(session),
            Command::Witness(command) => command.run(session),
        }
    }
}

impl Command {
    /// What is logged by default: a server's operator wants to see it work, everybody else only what is wrong.
    fn log(&self) -> &'static str {
        match self {
            Command::Coordinator(_) | Command::Node(_) | Command::Witness(_) => LOG_SERVING,
            Command::Demo(_) => LOG_DEMO,
            Command::Adopt(_)
            | Command::Approval(_)
            | Command::Audit(_)
            | Command::Call(_)
            | Command::Destruction(_)
            | Command::Doctor(_)
            | Command::Grant(_)
            | Command::Party(_)
            | Command::Pki(_)
            | Command::Policy(_)
            | Command::Product(_)
            | Command::Source(_)
            | Command::Status(_)
            | Command::Stop(_)
            | Command::Stream(_) => LOG_QUIET,
        }
    }
}

#[cfg(test)]
mod tests;
