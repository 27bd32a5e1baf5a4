//! `lingqu party`: codes for newcomers, issued by the operating agency, and enrolment with one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::{PartyId, Region, Role, Timestamp};
use lingqu_proto::pb::enrolment_client::EnrolmentClient;
use lingqu_proto::{pb, role_to_pb};
use lingqu_transport::{PeerId, signing_key};
use serde_json::json;

use crate::connection::{CoordinatorAt, Identity, SigningIdentity};
use crate::enrolment;
use crate::failure::Failure;
use crate::session::Session;

/// `party code …` or `party enrol …`
#[derive(Args, Debug)]
pub(crate) struct Party {
    #[command(subcommand)]
    command: PartyCommand,
}

#[derive(Subcommand, Debug)]
enum PartyCommand {
    /// Issue a one-time code, as the operating agency · 运营机构签发准入码
    Code(Code),
    /// Enrol the own party with its code · 使用准入码登记本方
    Enrol(Enrol),
}

/// What the newcomer will be is fixed here, not by the newcomer.
#[derive(Args, Debug)]
struct Code {
    /// Who may use the code, `party_…` or `node_…` · 准入对象
    #[arg(long, value_name = "ID")]
    subject: PeerId,
    /// A role of the party; may be given several times · 参与方角色，可多次
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Its statistical division code · 行政区划代码
    #[arg(long, value_name = "REGION")]
    region: Region,
    /// For a node: the unit that owns it · 节点所属数源单位
    #[arg(long, value_name = "PARTY")]
    unit: Option<PartyId>,
    /// Its name for people · 名称
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: Identity,
}

/// `party enrol --coordinator URL --id COORD_ID --tls-cert … --tls-key … --ca … --key approval.key --code CODE`
#[derive(Args, Debug)]
struct Enrol {
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: SigningIdentity,
    /// The party's approval key · 审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The one-time code · 准入码
    #[arg(long, value_name = "CODE")]
    code: String,
}

impl Party {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            PartyCommand::Code(code) => code.run(session),
            PartyCommand::Enrol(enrol) => enrol.run(session),
        }
    }
}

impl Code {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tls = self.identity.load(&session.clock)?;
        let request = pb::IssueCodeRequest {
            subject: self.subject.to_string(),
            roles: self
                .roles
                .iter()
                .map(|role| role_to_pb(*role).into())
                .collect(),
            region: self.region.to_string(),
            unit: self.unit.map(|unit| unit.to_string()).unwrap_or_default(),
            display_name: self.name,
        };
        let response = session.wait(async {
            let mut enrolment = EnrolmentClient::new(self.coordinator.dial(&tls).await?);
            let response = enrolment.issue_code(request).await;
            response.map_err(|status| Failure::of_status(&status))
        })??;
        let response = response.into_inner();
        let expires = Timestamp(response.expires_us);
        session.say(
            format_args!("for {}, usable once, until {expires}", self.subject),
            format_args!("仅限 {} 使用一次，有效期至 {expires}", self.subject),
        );
        let code = crate::failure::printable(&response.code);
        let value = json!({
            "code": code,
            "subject": self.subject.to_string(),
            "expires": expires.to_string(),
        });
        session.answer(&code, &value)
    }
}

impl Enrol {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tls = Identity::from(self.identity).load(&session.clock)?;
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let id = tls.id();
        session.wait(async {
            let channel = self.coordinator.dial(&tls).await?;
            enrolment::enrol(channel, &self.code, &id, "approval", &key).await
        })??;
        session.say(
            format_args!("{id} is enrolled"),
            format_args!("{id} 已登记"),
        );
        session.answer(&id, &json!({ "enrolled": id.to_string() }))
    }
}
