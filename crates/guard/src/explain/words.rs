//! The words for outputs and for the terms under which they leave.

use lingqu_policy::DomainKind;

use super::{Explanation, Topic};
use crate::formula::Texts;
use crate::infer::{Shown, Test, Tree};
use crate::query::{Atom, Cell, Query};
use crate::tables::TableRules;

/// Says under which terms figures leave, each as it stands in the policies.
pub(super) fn terms<V>(query: &Query<V>, rules: &[TableRules], told: &mut Explanation) {
    let release = &query.release;
    let least = release.group_min();
    told.say(
        Topic::Rule,
        format!("a group of fewer than {least} entities is left out, exactly as one that is empty"),
        format!("实体少于 {least} 的组不出现，与空组无异"),
    );
    let share = release.dominance_percent_max();
    let near = release.p_percent();
    told.say(
        Topic::Rule,
        format!(
            "a figure with fewer than {least} contributing entities, with one entity above {share} %, or from which one contributor could tell another within {near} %, is NULL; of sums and averages this holds also for what lies above and below the declared bounds of each value"
        ),
        format!(
            "有贡献的实体少于 {least}、单一实体占比超过 {share}%，或一实体可在 {near}% 以内推知另一实体的数值时，该值为 NULL；对总和与平均，距各值所申报上下界的部分亦按此判断"
        ),
    );
    let left_out = release.withheld_percent_max();
    told.say(
        Topic::Rule,
        format!(
            "figures count whole blocks of cells, each of which could be released alone, so that no two answers differ by fewer than {least} entities; where more than {left_out} % of the rows would be left out, the product does not open"
        ),
        format!(
            "各值按整块单元计算，每块本身即可发布，因此任意两次答复之差不少于 {least} 个实体；须略去的行超过 {left_out}% 时，产品不开放"
        ),
    );
    for column in sensitive(query, rules) {
        let most = release.homogeneity_percent_max();
        told.say(
            Topic::Rule,
            format!(
                "where more than {most} % of the entities of a cell have one value of `{column}`, its values are not told apart"
            ),
            format!("单元内超过 {most}% 的实体在 `{column}` 上取值相同时，不区分其取值"),
        );
    }
    if release.round_to() > 1 {
        let base = release.round_to();
        told.say(
            Topic::Rule,
            format!(
                "counts are rounded to multiples of {base}, and averages are sums divided by rounded counts"
            ),
            format!("计数取整为 {base} 的倍数，平均值为总和除以取整后的计数"),
        );
    }
    let groups = query.groups;
    told.say(
        Topic::Rule,
        format!("there are at most {groups} groups"),
        format!("最多 {groups} 组"),
    );
}

/// How a condition compares.
pub(super) fn compared<V>(test: &Test<V>, value: impl Fn(&V) -> String) -> (String, String) {
    let joined = |values: &[V], word: &str| {
        let values: Vec<String> = values.iter().map(&value).collect();
        values.join(word)
    };
    match test {
        Test::Above(last) => {
            let last = value(last);
            (format!("is above {last}"), format!("高于 {last}"))
        }
        Test::Among(values) => (
            format!("equals {}", joined(values, " or ")),
            format!("等于 {}", joined(values, "、")),
        ),
        Test::AtLeast(edge) => {
            let edge = value(edge);
            (format!("is not below {edge}"), format!("不低于 {edge}"))
        }
        Test::AtMost(last) => {
            let last = value(last);
            (format!("is not above {last}"), format!("不高于 {last}"))
        }
        Test::Below(edge) => {
            let edge = value(edge);
            (format!("is below {edge}"), format!("低于 {edge}"))
        }
        Test::Between(low, high) => {
            let (low, high) = (value(low), value(high));
            (
                format!("is from {low} to {high}"),
                format!("在 {low} 至 {high} 之间"),
            )
        }
        Test::NotAmong(values) => (
            format!("has a value other than {}", joined(values, " and ")),
            format!("有值且不等于 {}", joined(values, "、")),
        ),
        Test::Outside(low, high) => {
            let (low, high) = (value(low), value(high));
            (
                format!("has a value that is not from {low} to {high}"),
                format!("有值且不在 {low} 至 {high} 之间"),
            )
        }
    }
}

/// Comparisons that decide together.
pub(super) fn chosen<V>(
    query: &Query<V>,
    rules: &[TableRules],
    choice: &Tree<Atom<V>>,
    value: &impl Fn(&V) -> String,
) -> (String, String) {
    let joined = |parts: &[Tree<Atom<V>>], en: &str, zh: &str| {
        let parts = parts.iter().map(|part| match part {
            Tree::One(_) => chosen(query, rules, part, value),
            Tree::All(_) | Tree::Any(_) => {
                let (en, zh) = chosen(query, rules, part, value);
                (format!("({en})"), format!("（{zh}）"))
            }
        });
        let (ens, zhs): (Vec<String>, Vec<String>) = parts.unzip();
        (ens.join(en), zhs.join(zh))
    };
    match choice {
        Tree::All(parts) => joined(parts, " and ", " 且 "),
        Tree::Any(parts) => joined(parts, " or ", " 或 "),
        Tree::One(atom) => {
            let column = rules[query.scans[atom.origin.scan]].column(atom.origin.column);
            let (en, zh) = compared(&atom.test, value);
            (format!("`{column}` {en}"), format!("`{column}` {zh}"))
        }
    }
}

/// How figures, windows and parameters stand in a statement.
pub(super) fn texts<V>(query: &Query<V>, rules: &[TableRules], parameters: Vec<String>) -> Texts {
    let figures = 0..query.cells.len();
    let mut texts = Texts {
        figures: figures
            .map(|figure| figure_text(query, rules, figure))
            .collect(),
        windows: Vec::new(),
        parameters,
    };
    let keys = query.keys.iter().map(|key| {
        let table = &rules[query.scans[key.origin.scan]];
        table.column(key.origin.column).to_owned()
    });
    let keys: Vec<String> = keys.collect();
    let windows = query.windows.iter();
    texts.windows = windows.map(|window| window.text(&texts, &keys)).collect();
    texts
}

/// A figure as it stands in a statement.
fn figure_text<V>(query: &Query<V>, rules: &[TableRules], figure: usize) -> String {
    let protected = &rules[query.scans[query.protected]];
    match query.cells[figure] {
        Cell::Average(column, _) => format!("avg({})", protected.column(column)),
        Cell::Entities => format!("count(distinct {})", protected.column(query.entity)),
        Cell::Present(column) => format!("count({})", protected.column(column)),
        Cell::Rows => "count(*)".to_owned(),
        Cell::Sum(column, _) => format!("sum({})", protected.column(column)),
    }
}

/// The columns called sensitive by which the statement groups or selects.
fn sensitive<'a, V>(query: &Query<V>, rules: &'a [TableRules]) -> Vec<&'a str> {
    let keys = query.keys.iter().map(|key| key.origin);
    let atoms = query.comparisons().map(|atom| atom.origin);
    let mut names: Vec<&str> = keys
        .chain(atoms)
        .filter_map(|origin| {
            let table = &rules[query.scans[origin.scan]];
            let column = table.column(origin.column);
            table.policy.is_sensitive(column).then_some(column)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What an output shows.
pub(super) fn shown<V>(
    query: &Query<V>,
    rules: &[TableRules],
    shown: Shown,
    texts: &Texts,
) -> (String, String) {
    let protected = &rules[query.scans[query.protected]];
    let figure = match shown {
        Shown::Group(key) => return group(query, rules, key),
        Shown::Figure(figure) => figure,
        Shown::Computed(computed) => {
            let text = query.computed[computed].text(texts);
            return (
                format!("`{text}`, computed from released figures; NULL where one is kept back"),
                format!("`{text}`，由已发布数值计算；所用数值被隐去时为 NULL"),
            );
        }
    };
    let bounds = |column: usize, min: i64, max: i64| {
        let column = protected.column(column);
        (
            format!("of `{column}`, each value brought into {min} to {max}"),
            format!("`{column}`，每个值限于 {min} 至 {max}"),
        )
    };
    match query.cells[figure] {
        Cell::Entities => ("number of entities".to_owned(), "实体数".to_owned()),
        Cell::Rows => ("number of rows".to_owned(), "行数".to_owned()),
        Cell::Present(column) => {
            let column = protected.column(column);
            (
                format!("number of rows with a value in `{column}`"),
                format!("`{column}` 有值的行数"),
            )
        }
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

fn group<V>(query: &Query<V>, rules: &[TableRules], key: usize) -> (String, String) {
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
        DomainKind::Texts(_) | DomainKind::Integers(_) => ("declared values", "个已声明取值"),
        DomainKind::IntegerBins(_) | DomainKind::DateBins(_) => (
            "declared bins, each shown as its lower edge",
            "个已声明分箱（以下界表示）",
        ),
        DomainKind::Bounds { .. } => ("cells", "个单元"),
    };
    (
        format!("group column `{column}`, {cells} {en}; everything else is one group, NULL"),
        format!("分组列 `{column}`，{cells} {zh}；其余归入 NULL 一组"),
    )
}
