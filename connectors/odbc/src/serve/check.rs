//! `--check`: connects to every source, describes every table, and says what was found. No row is read.

use std::process::ExitCode;
use std::sync::Arc;

use crate::config::Config;
use crate::supervise::Supervisor;

/// Looks at all sources; fails if one cannot be reached or one table cannot be described.
#[expect(clippy::print_stdout, reason = "this is the output of a command")]
pub(crate) async fn check(config: Config) -> ExitCode {
    let mut well = true;
    for source in config.sources {
        let supervisor = Supervisor::new(source, config.base.clone());
        for line in look(&supervisor).await.unwrap_or_else(|line| vec![line]) {
            well &= !line.failed;
            println!("{}", line.text);
        }
    }
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One line of the report.
struct Line {
    text: String,
    failed: bool,
}

impl Line {
    fn found(text: String) -> Line {
        Line {
            text,
            failed: false,
        }
    }

    fn failed(text: String) -> Line {
        Line { text, failed: true }
    }
}

async fn look(supervisor: &Arc<Supervisor>) -> Result<Vec<Line>, Line> {
    let source = &supervisor.source;
    let failed = |error| Line::failed(format!("source `{}`: {error}", source.name));
    let server = supervisor.probe().await.map_err(failed)?;
    let mut lines = vec![Line::found(format!(
        "source `{}`: reached, server `{server}`",
        source.name
    ))];
    if let Some(profile) = &source.profile {
        let tested = if profile.tested { "tested" } else { "untested" };
        lines.push(Line::found(format!(
            "  profile for {} ({tested})",
            profile.product
        )));
        let quirks = profile.quirks.iter();
        lines.extend(quirks.map(|quirk| Line::found(format!("    note: {quirk}"))));
    }
    let described = supervisor.describe(source.tables.clone()).await;
    for (table, columns) in described.map_err(failed)? {
        let name = table.name.join(".");
        match columns {
            Ok(columns) => {
                lines.push(Line::found(format!("  table `{name}`")));
                lines.extend(columns.iter().map(|column| {
                    let nullable = if column.nullable { "" } else { ", not null" };
                    Line::found(format!(
                        "    `{}` {}{nullable}",
                        column.name, column.column_type
                    ))
                }));
            }
            Err(failure) => lines.push(Line::failed(format!("  table `{name}`: {failure}"))),
        }
    }
    Ok(lines)
}
