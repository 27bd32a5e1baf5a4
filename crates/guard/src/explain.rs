//! A statistic in plain words, without any data: what would be released, which rules apply, what it costs, and what to
//! change where it is refused.
//!
//! Everything said here follows from the statement, the policies and the schemas, and after binding from the caller's
//! own arguments. Loads, partitions and the engine's plan are not even in reach.

mod words;

use datafusion::scalar::ScalarValue;

use crate::gate::Figure as Number;
use crate::query::{Bindable, Query};
use crate::rule::TemplateRefused;
use crate::tables::TableRules;
use crate::value::{Allowed, Parameter};

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// What would be allowed instead of what is refused.
    Change,
    /// What an answer costs.
    Cost,
    /// What a caller may choose.
    Parameter,
    /// Which tables are read, and who is protected.
    Reads,
    /// Why it is refused.
    Refused,
    /// What leaves.
    Releases,
    /// Under which terms it leaves.
    Rule,
    /// Which rows are taken.
    Takes,
}

impl Topic {
    /// Every topic, in alphabetical order of the words.
    pub const ALL: [Topic; 8] = [
        Topic::Change,
        Topic::Cost,
        Topic::Parameter,
        Topic::Reads,
        Topic::Refused,
        Topic::Releases,
        Topic::Rule,
        Topic::Takes,
    ];

    /// The word in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Change => "change",
            Topic::Cost => "cost",
            Topic::Parameter => "parameter",
            Topic::Reads => "reads",
            Topic::Refused => "refused",
            Topic::Releases => "releases",
            Topic::Rule => "rule",
            Topic::Takes => "takes",
        }
    }
}

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub topic: Topic,
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// What would be released and under which rules, one sentence per entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// In the order in which they are to be read.
    pub sentences: Vec<Sentence>,
}

impl Explanation {
    /// Adds a sentence.
    pub fn say(&mut self, topic: Topic, en: impl Into<String>, zh: impl Into<String>) {
        self.sentences.push(Sentence {
            topic,
            en: en.into(),
            zh: zh.into(),
        });
    }

    /// The sentences about one topic.
    pub fn about(&self, topic: Topic) -> impl Iterator<Item = &Sentence> {
        { self.sentences.iter() }.filter(move |sentence| sentence.topic == topic)
    }
}

impl TemplateRefused {
    /// Why it is refused, and what would be allowed.
    pub fn explain(&self) -> Explanation {
        let mut told = Explanation::default();
        let rule = self.rule();
        let subject = |open: &str, close: &str| {
            self.subject()
                .map(|subject| format!("{open}`{subject}`{close}"))
                .unwrap_or_default()
        };
        told.say(
            Topic::Refused,
            format!("{}: {}{}", rule.code(), rule.en(), subject(" (", ")")),
            format!("{}：{}{}", rule.code(), rule.zh(), subject("（", "）")),
        );
        told.say(Topic::Change, rule.instead_en(), rule.instead_zh());
        told
    }
}

/// Explains a template, for whatever its parameters will be.
pub(crate) fn template(
    query: &Query<Bindable>,
    rules: &[TableRules],
    parameters: &[Parameter],
) -> Explanation {
    let mut told = statement(query, rules, parameters);
    words::terms(query, rules, &mut told);
    told
}

/// What a template reads, takes and shows, without the terms under which it leaves.
pub(crate) fn statement(
    query: &Query<Bindable>,
    rules: &[TableRules],
    parameters: &[Parameter],
) -> Explanation {
    let mut told = Explanation::default();
    let value = |value: &Bindable| match value {
        Bindable::Fixed(value) => literal(value),
        Bindable::Parameter(index) => format!("`${}`", parameters[*index].name),
    };
    reads(query, rules, &mut told);
    takes(query, rules, value, &mut told);
    let names = parameters
        .iter()
        .map(|parameter| format!("${}", parameter.name));
    releases(query, rules, names.collect(), &mut told);
    for parameter in parameters {
        let (count, en, zh) = match &parameter.allowed {
            Allowed::Edges(edges) => (edges.len(), "edges", "个分界"),
            Allowed::Values(values) => (values.len(), "values", "个取值"),
        };
        let name = &parameter.name;
        told.say(
            Topic::Parameter,
            format!("parameter `{name}` is one of {count} declared {en}"),
            format!("参数 `{name}` 取自 {count} {zh}"),
        );
    }
    told
}

/// Explains a template with its arguments.
pub(crate) fn bound(query: &Query<ScalarValue>, rules: &[TableRules]) -> Explanation {
    let mut told = bound_statement(query, rules);
    words::terms(query, rules, &mut told);
    told
}

/// What a statement with its arguments reads, takes and shows, without the terms under which it leaves.
pub(crate) fn bound_statement(query: &Query<ScalarValue>, rules: &[TableRules]) -> Explanation {
    let mut told = Explanation::default();
    reads(query, rules, &mut told);
    takes(query, rules, literal, &mut told);
    let number = |number: &Option<Number>| match number {
        Some(Number::Whole(number)) => number.to_string(),
        // Only whole numbers are parameters above the Gate.
        Some(Number::Real(_)) | None => String::new(),
    };
    releases(
        query,
        rules,
        query.numbers.iter().map(number).collect(),
        &mut told,
    );
    told
}

fn literal(value: &ScalarValue) -> String {
    format!("`{value}`")
}

fn reads<V>(query: &Query<V>, rules: &[TableRules], told: &mut Explanation) {
    let protected = &rules[query.scans[query.protected]];
    let (table, entity) = (&protected.name, protected.column(query.entity));
    told.say(
        Topic::Reads,
        format!(
            "reads the protected table `{table}`; the entity is `{entity}`, and rows without one do not count"
        ),
        format!("读取受保护表 `{table}`，实体为 `{entity}`，无实体的行不计入"),
    );
    for join in &query.joins {
        let name = &rules[query.scans[join.scan]].name;
        told.say(
            Topic::Reads,
            format!("joins the table `{name}`, whose key must be unique"),
            format!("连接表 `{name}`，其连接键须唯一"),
        );
    }
}

fn takes<V>(
    query: &Query<V>,
    rules: &[TableRules],
    value: impl Fn(&V) -> String,
    told: &mut Explanation,
) {
    for atom in &query.atoms {
        let column = rules[query.scans[atom.origin.scan]].column(atom.origin.column);
        let (en, zh) = words::compared(&atom.test, &value);
        told.say(
            Topic::Takes,
            format!("takes only rows whose `{column}` {en}"),
            format!("只取 `{column}` {zh} 的行"),
        );
    }
    for choice in &query.choices {
        let (en, zh) = words::chosen(query, rules, choice, &value);
        told.say(
            Topic::Takes,
            format!("takes only rows of which {en}"),
            format!("只取满足下列条件的行：{zh}"),
        );
    }
}

fn releases<V>(
    query: &Query<V>,
    rules: &[TableRules],
    parameters: Vec<String>,
    told: &mut Explanation,
) {
    let texts = words::texts(query, rules, parameters);
    for output in &query.outputs {
        let (en, zh) = words::shown(query, rules, output.shown, &texts);
        let name = &output.name;
        told.say(
            Topic::Releases,
            format!("releases `{name}`: {en}"),
            format!("发布 `{name}`：{zh}"),
        );
    }
    if let Some(kept) = &query.having {
        let kept = kept.text(&texts);
        told.say(
            Topic::Releases,
            format!(
                "releases only groups of which, by their figures as they are released, `{kept}`; a group of which this is unknown because a figure is kept back is left out"
            ),
            format!("只发布按已发布数值满足 `{kept}` 的组；因数值被隐去而无从判断的组不出现"),
        );
    }
    if !query.windows.is_empty() {
        told.say(
            Topic::Releases,
            "a window (OVER) sees the groups that are shown, with their figures as they are released: a sum is of what is shown, and a group that is not shown is passed over",
            "窗口（OVER）只看到出现在结果中的组及其已发布数值：总和只是所示各组之和，未出现的组被跳过",
        );
    }
}

#[cfg(test)]
mod tests;
