//! A template in plain words, for the people who approve it.

use lingqu_policy::DomainKind;

use crate::infer::{Shown, Test};
use crate::query::{Bindable, Cell, Query};
use crate::tables::TableRules;
use crate::template::Explanation;
use crate::value::{Allowed, Parameter};

/// Says what is released and which rules apply.
pub(crate) fn explain(
    query: &Query<Bindable>,
    rules: &[TableRules],
    parameters: &[Parameter],
) -> Explanation {
    let mut explanation = Explanation {
        en: Vec::new(),
        zh: Vec::new(),
    };
    let mut say = |en: String, zh: String| {
        explanation.en.push(en);
        explanation.zh.push(zh);
    };
    let protected = &rules[query.scans[query.protected]];
    let entity = protected.column(query.entity);
    say(
        format!(
            "reads the protected table `{}`; the entity is `{entity}`, and rows without one do not count",
            protected.name
        ),
        format!(
            "读取受保护表 `{}`，实体为 `{entity}`，无实体的行不计入",
            protected.name
        ),
    );
    for join in &query.joins {
        let name = &rules[query.scans[join.scan]].name;
        say(
            format!("joins the table `{name}`, whose key must be unique"),
            format!("连接表 `{name}`，其连接键须唯一"),
        );
    }
    for atom in &query.atoms {
        let column = rules[query.scans[atom.origin.scan]].column(atom.origin.column);
        let (en, zh) = match &atom.test {
            Test::Among(_) => ("equals a declared value", "等于已声明的取值"),
            Test::AtLeast(_) => ("is not below a declared edge", "不低于已声明的分界"),
            Test::Below(_) => ("is below a declared edge", "低于已声明的分界"),
        };
        say(
            format!("takes only rows whose `{column}` {en}"),
            format!("只取 `{column}` {zh}的行"),
        );
    }
    for output in &query.outputs {
        let (en, zh) = shown(query, rules, output.shown);
        say(
            format!("releases `{}`: {en}", output.name),
            format!("发布 `{}`：{zh}", output.name),
        );
    }
    for parameter in parameters {
        let (count, en, zh) = match &parameter.allowed {
            Allowed::Edges(edges) => (edges.len(), "edges", "个分界"),
            Allowed::Values(values) => (values.len(), "values", "个取值"),
        };
        say(
            format!(
                "parameter `{}` is one of {count} declared {en}",
                parameter.name
            ),
            format!("参数 `{}` 取自 {count} {zh}", parameter.name),
        );
    }
    terms(query, &mut say);
    explanation
}

fn terms(query: &Query<Bindable>, say: &mut impl FnMut(String, String)) {
    let release = &query.release;
    let least = release.group_min();
    say(
        format!("a group of fewer than {least} entities is left out, exactly as one that is empty"),
        format!("实体少于 {least} 的组不出现，与空组无异"),
    );
    let share = release.dominance_percent_max();
    say(
        format!(
            "a figure with fewer than {least} contributing entities, with one entity above {share} %, or from which one contributor could tell another within 10 %, is NULL"
        ),
        format!(
            "有贡献的实体少于 {least}、单一实体占比超过 {share}%，或一实体可在 10% 以内推知另一实体的数值时，该值为 NULL"
        ),
    );
    if release.round_to() > 1 {
        let base = release.round_to();
        say(
            format!(
                "counts are rounded to multiples of {base}, and averages are sums divided by rounded counts"
            ),
            format!("计数取整为 {base} 的倍数，平均值为总和除以取整后的计数"),
        );
    }
    let groups = query.groups;
    say(
        format!("there are at most {groups} groups"),
        format!("最多 {groups} 组"),
    );
}

fn shown(query: &Query<Bindable>, rules: &[TableRules], shown: Shown) -> (String, String) {
    let protected = &rules[query.scans[query.protected]];
    match shown {
        Shown::Group(key) => {
            let key = &query.keys[key];
            let column = rules[query.scans[key.origin.scan]].column(key.origin.column);
            if let Some(recode) = &key.recode {
                let words = recode.words.len();
                return (
                    format!(
                        "group column `{column}`, put together to {words} groups in the words of the statement; everything else is one group, NULL"
                    ),
                    format!("分组列 `{column}`，按语句归并为 {words} 组；其余归入 NULL 一组"),
                );
            }
            let cells = key.domain.cells();
            let (en, zh) = match key.domain.kind() {
                DomainKind::Texts(_) | DomainKind::Integers(_) => {
                    ("declared values", "个已声明取值")
                }
                DomainKind::IntegerBins(_) | DomainKind::DateBins(_) => (
                    "declared bins, each shown as its lower edge",
                    "个已声明分箱（以下界表示）",
                ),
                DomainKind::Bounds { .. } => ("cells", "个单元"),
            };
            (
                format!(
                    "group column `{column}`, {cells} {en}; everything else is one group, NULL"
                ),
                format!("分组列 `{column}`，{cells} {zh}；其余归入 NULL 一组"),
            )
        }
        Shown::Figure(figure) => {
            let bounds = |column: usize, min: i64, max: i64| {
                (
                    format!(
                        "of `{}`, each value brought into {min} to {max}",
                        protected.column(column)
                    ),
                    format!("`{}`，每个值限于 {min} 至 {max}", protected.column(column)),
                )
            };
            match query.cells[figure] {
                Cell::Entities => ("number of entities".to_owned(), "实体数".to_owned()),
                Cell::Rows => ("number of rows".to_owned(), "行数".to_owned()),
                Cell::Present(column) => (
                    format!(
                        "number of rows with a value in `{}`",
                        protected.column(column)
                    ),
                    format!("`{}` 有值的行数", protected.column(column)),
                ),
                Cell::Sum(column, measure) => {
                    let (en, zh) = bounds(column, measure.min, measure.max);
                    (format!("sum {en}"), format!("总和：{zh}"))
                }
                Cell::Average(column, measure) => {
                    let (en, zh) = bounds(column, measure.min, measure.max);
                    (format!("average {en}"), format!("平均：{zh}"))
                }
            }
        }
    }
}
