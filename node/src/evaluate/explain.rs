//! What a call would answer, under which rules and at what cost, as a table: a topic and a sentence in two languages.
//!
//! Made from the product, the policy, the caller's own arguments and the permit. Neither rows nor what was computed of
//! them is in reach: an explanation of an empty register and of a full one are the same bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use lingqu_core::decide::Permit;
use lingqu_guard::{Explanation, Sentence, Topic};
use lingqu_policy::AuditTerms;

use super::Table;
use super::statistic::ipc_stream;

/// The columns of an explanation.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![text("topic"), text("en"), text("zh")]))
}

/// Of a model.
pub(super) fn model(reasons_max: usize) -> Explanation {
    let mut told = Explanation::default();
    told.say(
        Topic::Releases,
        format!(
            "one class or one rounded score of one subject, with at most {reasons_max} reason codes"
        ),
        format!("仅输出一个主体的一个类别或取整后的分数，原因码至多 {reasons_max} 个"),
    );
    told.say(
        Topic::Rule,
        "the node reads the model's inputs itself; none of them leaves",
        "模型输入由节点自行读取，不输出",
    );
    told
}

/// Of a verification.
pub(super) fn verification(permit: &Permit) -> Explanation {
    let mut told = Explanation::default();
    let mut verdicts = vec!["MATCH", "NO_MATCH"];
    verdicts.extend(permit.reveals_not_found().then_some("NOT_FOUND"));
    verdicts.extend(permit.reveals_indeterminate().then_some("INDETERMINATE"));
    told.say(
        Topic::Releases,
        format!("one combined verdict: {}", verdicts.join(", ")),
        format!("仅输出一个合并结论：{}", verdicts.join("、")),
    );
    told.say(
        Topic::Rule,
        "never one verdict per field, and never a value",
        "不逐项输出，也不输出任何数值",
    );
    told
}

/// The sentences with what every call costs, as the table that leaves.
pub(super) fn table(mut told: Explanation, permit: &Permit) -> Result<Table, ArrowError> {
    cost(permit, &mut told);
    let column = |text: fn(&Sentence) -> &str| -> ArrayRef {
        let texts = told.sentences.iter().map(text);
        Arc::new(StringArray::from_iter_values(texts))
    };
    let rows = RecordBatch::try_new(
        schema(),
        vec![
            column(|sentence| sentence.topic.as_str()),
            column(|sentence| &sentence.en),
            column(|sentence| &sentence.zh),
        ],
    )?;
    let stream = ipc_stream(&rows)?;
    Ok(Table { rows, stream })
}

fn cost(permit: &Permit, told: &mut Explanation) {
    let (day, total) = (permit.quota().calls_per_day, permit.quota().calls_total);
    let (grant, environment) = (permit.grant(), permit.environment().as_str());
    told.say(
        Topic::Cost,
        format!(
            "an answer, or a failure after data was touched, costs one of the {day} calls a day and {total} in all that `{grant}` has at this node in {environment}"
        ),
        format!(
            "每次答复（含触及数据后的失败）计一次调用；`{grant}` 在本节点 {environment} 环境每日 {day} 次、共 {total} 次"
        ),
    );
    told.say(
        Topic::Cost,
        "this explanation is on record and costs no call; there are as many a day as calls",
        "本说明已存证，不计调用次数；每日说明次数与调用额度相同",
    );
    match permit.audit() {
        AuditTerms::Mirrored { wait_ms_max } => told.say(
            Topic::Rule,
            format!(
                "no answer leaves before the mirror has cosigned its record, for which a call waits {wait_ms_max} ms at most"
            ),
            format!("记录经镜像联署后答复方可放行，最多等待 {wait_ms_max} 毫秒"),
        ),
        AuditTerms::Witnessed { wait_ms_max } => told.say(
            Topic::Rule,
            format!(
                "no answer leaves before witnesses have cosigned a head log over its record, for which a call waits {wait_ms_max} ms at most"
            ),
            format!("见证方对覆盖该记录的头部日志副署后答复方可放行，最多等待 {wait_ms_max} 毫秒"),
        ),
        AuditTerms::Lagged {
            entries_max,
            age_s_max,
        } => told.say(
            Topic::Rule,
            format!(
                "while the mirror is away, answers leave on the node's own durable record, for {entries_max} records and {age_s_max} seconds at most"
            ),
            format!("镜像不可达时，可凭节点本地存证放行，最多 {entries_max} 条记录且不超过 {age_s_max} 秒"),
        ),
    }
}
