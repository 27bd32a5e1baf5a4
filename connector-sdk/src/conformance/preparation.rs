//! What a test asks for and has prepared is looked at before the connector is: a mistyped name must not count as the
//! connector's failure, and nothing that was asked for may be passed over in silence.

use crate::{SourceError, TableName};

use super::CHECKS;
use super::report::{Text, text};
use super::subject::Subject;

/// What of the options and the fixture cannot be used. What the connector itself gets wrong meanwhile is left to the
/// checks.
pub(super) async fn unusable(subject: &mut Subject) -> Vec<Text> {
    let mut unusable = unknown_checks(&subject.options.only);
    unusable.extend(columns_missing(subject));
    let described = subject.connector.describe().await;
    let Ok(described) = subject.heard(described) else {
        return unusable;
    };
    let listed = |name: &TableName| described.iter().any(|table| table.name == *name);
    for name in subject.options.tables.iter().filter(|name| !listed(name)) {
        unusable.push(text(
            format!("the options name a table that the source does not list: `{name}`"),
            format!("选项指定的表不在数据源的表清单中：`{name}`"),
        ));
    }
    for (role, name) in named(subject) {
        if listed(&name) {
            continue;
        }
        let opened = subject.connector.open(&name).await.map(|_| ());
        if let Err(SourceError::TableMissing(_)) = subject.heard(opened) {
            unusable.push(text(
                format!(
                    "the fixture names a table that the source does not have: `{name}` (`{role}`)"
                ),
                format!("测试夹具指定的表在数据源中不存在：`{name}`（`{role}`）"),
            ));
        }
    }
    unusable
}

fn unknown_checks(only: &[String]) -> Vec<Text> {
    let unknown = |id: &&String| CHECKS.iter().all(|check| check.id != **id);
    let unknown = only.iter().filter(unknown);
    unknown
        .map(|id| {
            text(
                format!("there is no check `{id}`"),
                format!("没有名为 `{id}` 的检查"),
            )
        })
        .collect()
}

/// Columns of specimens that their own contents do not have.
fn columns_missing(subject: &Subject) -> Vec<Text> {
    let mut missing = Vec::new();
    for specimen in &subject.fixture.specimens {
        let schema = specimen.expected.schema();
        for (_, column) in &specimen.aspects {
            if schema.index_of(column).is_err() {
                let table = &specimen.table;
                missing.push(text(
                    format!("the specimen `{table}` expects nothing of its column `{column}`"),
                    format!("样本 `{table}` 的预期内容中没有字段 `{column}`"),
                ));
            }
        }
    }
    missing
}

/// The tables of the fixture, and what each is there for.
fn named(subject: &Subject) -> Vec<(&'static str, TableName)> {
    let fixture = &subject.fixture;
    let specimens = fixture.specimens.iter();
    let specimens = specimens.map(|specimen| ("specimens", specimen.table.clone()));
    let unfit = fixture.unfit.as_ref().map(|unfit| unfit.table.clone());
    let others = [
        ("large", fixture.large.clone()),
        ("unfit", unfit),
        ("drifting", fixture.drifting.clone()),
    ];
    let others = others
        .into_iter()
        .filter_map(|(role, name)| Some((role, name?)));
    specimens.chain(others).collect()
}
