//! `lingqu status`: how the node on this machine is.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `status --socket S [--json]`
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let status = session.wait(local_control::status(&self.socket))??;
        if self.json {
            return session.json(&status);
        }
        let epoch = status
            .epoch
            .map_or("none".to_owned(), |number| number.to_string());
        let stopped = if status.stopped.is_empty() {
            "nothing".to_owned()
        } else {
            status.stopped.join(", ")
        };
        let headed = match (status.headed_size, status.headed) {
            (None, _) => "not followed".to_owned(),
            (Some(size), true) => size.to_string(),
            (Some(size), false) => format!("{size} (LATE)"),
        };
        let witnessed = status
            .witnessed_size
            .map_or("not followed".to_owned(), |size| size.to_string());
        let rows: [(&str, &dyn std::fmt::Display); 13] = [
            ("node", &status.node),
            ("version", &status.version),
            ("stream", &status.stream),
            ("records", &status.journal_size),
            ("of these mirrored", &status.mirrored_size),
            ("of these in the head log", &headed),
            ("of these witnessed", &witnessed),
            ("compared with the mirror", &status.reconciled),
            ("revocation list", &epoch),
            ("signed objects held", &status.objects),
            ("products open", &status.products_open),
            ("stopped", &stopped),
            ("last stop order", &status.stop_number),
        ];
        for (name, value) in rows {
            session.line(format_args!("{name}: {value}"))?;
        }
        // One mirror is told of by the rows above.
        for mirror in status.mirrors.iter().filter(|_| status.mirrors.len() > 1) {
            let (id, missing) = (&mirror.id, mirror.missing);
            let state = if mirror.connected { "reached" } else { "AWAY" };
            session.line(format_args!(
                "mirror `{id}`: {state}, lacks {missing} records"
            ))?;
        }
        session.line(format_args!("connections: {}", status.connections))?;
        for budget in status.budgets {
            let data = match budget.production {
                true => "production",
                false => "sample",
            };
            session.line(format_args!(
                "privacy budget of `{}` ({data} data): {} of {} ρ left",
                budget.space,
                budget.left,
                budget.limit.as_deref().unwrap_or("0")
            ))?;
        }
        Ok(())
    }
}
