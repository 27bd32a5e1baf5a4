//! `policy check`: what a policy would allow, in plain words, before anybody signs it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use lingqu_core::product::SignedPolicy;
use lingqu_policy::{AuditTerms, Domain, DomainKind, Function, Policy, Release, Use};

use crate::document;
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::session::Session;

/// `policy check FILE`
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// A TOML file, or a signed or unsigned object · TOML 文件或对象文件
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Check {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let signed: SignedPolicy = document::read(&self.file)?;
        explain(&signed).tell(session)
    }
}

/// What it says.
fn explain(signed: &SignedPolicy) -> Explanation {
    let policy = &signed.policy;
    let mut told = Explanation::default();
    told.add(
        format!(
            "{} allows the following on its resource `{}` ({}, version {})",
            signed.unit, signed.resource, signed.id, signed.version
        ),
        format!(
            "{} 允许对其数据资源 `{}` 作如下使用（{}，第 {} 版）",
            signed.unit, signed.resource, signed.id, signed.version
        ),
    );
    let purposes: Vec<&str> = policy.purposes().collect();
    if purposes.is_empty() {
        told.add(
            "no purpose is listed, so no call is answered",
            "未列出任何用途，因此不会答复任何调用",
        );
    } else {
        let listed = purposes.join(", ");
        told.add(
            format!("a call must state one of the purposes {listed}"),
            format!("调用须声明以下用途之一：{listed}"),
        );
    }
    for (column, uses) in policy.columns() {
        let words: Vec<_> = uses.iter().map(words).collect();
        let (en, zh): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        if en.is_empty() {
            told.add(
                format!("column `{column}` is forbidden"),
                format!("字段 `{column}`：禁止使用"),
            );
        } else {
            told.add(
                format!("column `{column}` {}", en.join("; it ")),
                format!("字段 `{column}`：{}", zh.join("；")),
            );
        }
    }
    told.add("every other column is forbidden", "其他字段一律禁止使用");
    statistics(policy, &mut told);
    subjects(policy, &mut told);
    match policy.audit() {
        AuditTerms::Mirrored { wait_ms_max } => told.add(
            format!("no answer leaves before the mirror has cosigned its record; a call waits {wait_ms_max} ms at most"),
            format!("记录经镜像联署后答复方可放行，单次调用最多等待 {wait_ms_max} 毫秒"),
        ),
        AuditTerms::Witnessed { wait_ms_max } => told.add(
            format!(
                "no answer leaves before the witnesses that the node pins have cosigned a head log over its record; a call \
                 waits {wait_ms_max} ms at most, and a node without witnesses answers nothing"
            ),
            format!(
                "节点所配置的见证方对覆盖该记录的头部日志副署后答复方可放行，单次调用最多等待 {wait_ms_max} 毫秒；未配置见证方的节点不予答复"
            ),
        ),
        AuditTerms::Lagged { entries_max, age_s_max } => told.add(
            format!(
                "while the mirror is away, answers leave on the node's own durable record, for {entries_max} records and \
                 {age_s_max} seconds at most"
            ),
            format!("镜像不可达时，可凭节点本地存证放行，最多 {entries_max} 条记录且不超过 {age_s_max} 秒"),
        ),
    }
    let age = policy.epoch_age_max_s();
    told.add(
        format!("no call is answered once the newest revocation list is {age} seconds old"),
        format!("最新撤销清单超过 {age} 秒后，不再答复任何调用"),
    );
    told
}

/// How often one subject may be asked about.
fn subjects(policy: &Policy, told: &mut Explanation) {
    let Some(limit) = policy.subject_limit() else {
        told.add(
            "how often one subject is asked about is limited by the grants' quotas alone",
            "对同一主体的查询次数仅受授权配额限制",
        );
        return;
    };
    let (all, of_grant, hours) = (
        limit.calls_max(),
        limit.grant_calls_max(),
        limit.window_hours(),
    );
    told.add(
        format!(
            "about one subject at most {all} verifications and scores are answered within {hours} hours, of all callers together, and \
             {of_grant} under one grant; whether the register has the subject makes no difference"
        ),
        format!(
            "{hours} 小时内对同一主体的核验与评分，全部调用方合计至多答复 {all} 次，单项授权至多 {of_grant} 次，与登记册中有无该主体无关"
        ),
    );
    if of_grant == all {
        told.add(
            "beware: one caller alone can use up what all have about a subject; `grant_calls_max` keeps some for others",
            "注意：单一调用方可用尽对某一主体的全部次数；设置 `grant_calls_max` 可为其他调用方保留",
        );
    }
    told.add(
        "a refusal can tell a caller that others have asked about the same subject within the window",
        "拒绝可能使调用方得知其他方在同一窗口内查询过该主体",
    );
}

/// What statistics on the resource would be.
fn statistics(policy: &Policy, told: &mut Explanation) {
    for (column, _) in policy.columns() {
        if let Some(known) = policy.domain(column) {
            let (en, zh) = domain(known);
            told.add(
                format!("statistics know column `{column}` {en}"),
                format!("统计中字段 `{column}` {zh}"),
            );
        }
        if let Some(space) = policy.space(column) {
            told.add(
                format!("ids in `{column}` are from the space `{space}`: other tables of this space may be joined on them"),
                format!("`{column}` 的标识属于 `{space}` 标识空间，可与同一空间的其他表按标识连接"),
            );
        }
    }
    match (policy.release(), policy.entities().next()) {
        (None, _) => told.add("there are no statistics on it", "不提供任何统计"),
        (Some(_), None) => told.add(
            "no column identifies an entity, so the resource is either public or in no statistic",
            "没有实体字段，因此该资源只能作为公开表使用，否则不提供统计",
        ),
        (Some(terms), Some(entity)) => {
            release(terms, entity, told);
            sensitive(policy, terms, told);
        }
    }
    budget(policy, told);
}

/// What differentially private answers may cost.
fn budget(policy: &Policy, told: &mut Explanation) {
    let Some(budget) = policy.dp() else {
        told.add(
            "there is no privacy budget, so no differentially private answer",
            "未设隐私预算，不提供差分隐私答复",
        );
        return;
    };
    let (rho, exponent, epsilon) = (
        budget.rho_total(),
        budget.delta_exponent(),
        budget.epsilon(),
    );
    let spaces: BTreeSet<&str> = policy
        .entities()
        .filter_map(|column| policy.space(column))
        .collect();
    if spaces.is_empty() {
        told.add(
            "beware: there is a privacy budget, but no entity column names an id space, so nothing can be spent",
            "注意：设有隐私预算，但没有实体字段声明标识空间，因此预算无法使用",
        );
        return;
    }
    let spaces = Vec::from_iter(spaces).join(", ");
    told.add(
        format!(
            "all callers together may spend {rho} ρ of zCDP on each of the spaces {spaces}, for ever: whoever has seen all of it can \
             tell about one entity at most what ε = {epsilon:.2} at δ = 10^-{exponent} allows; production and its debugging share the \
             account, sample data has its own"
        ),
        format!(
            "对标识空间 {spaces}，全部调用方合计可使用 zCDP 预算各 {rho} ρ，永久有效：即使获得全部答复，对单一实体的了解也不超过 \
             δ = 10^-{exponent} 时 ε = {epsilon:.2} 所允许的程度；生产与生产调试共用一个账户，样例数据另设账户"
        ),
    );
    told.add(
        "what is spent stays spent: neither a failed call nor a later policy, product, grant or load gives any of it back; other tables of \
         the space with a smaller budget are held to theirs",
        "已用预算不退还：调用失败、策略或产品或授权换版、数据重新加载均不恢复；同一标识空间的其他表若预算更小，则按其自身预算执行",
    );
}

fn sensitive(policy: &Policy, terms: Release, told: &mut Explanation) {
    let share = terms.homogeneity_percent_max();
    for (column, _) in policy.columns() {
        if policy.is_sensitive(column) {
            told.add(
                format!("`{column}` is sensitive: where more than {share} % of a cell's entities have one value of it, no answer tells its values apart there"),
                format!("`{column}` 为敏感字段：某单元中超过 {share}% 的实体取同一值时，答复不再区分其取值"),
            );
        }
    }
}

fn release(terms: Release, entity: &str, told: &mut Explanation) {
    let least = terms.group_min();
    told.add(
        format!("a figure stands on cells of at least {least} different `{entity}` each; smaller cells count only together with others"),
        format!("每个数值由各含至少 {least} 个不同 `{entity}` 的单元构成，过小的单元只与其他单元合并计入"),
    );
    let (share, p) = (terms.dominance_percent_max(), terms.p_percent());
    told.add(
        format!("no entity has more than {share} % of a cell's figure, and none can work out another's part within {p} %, also not from the declared bounds of a sum"),
        format!("任一实体不超过单元数值的 {share}%，且无法在 {p}% 以内推知另一实体的部分，利用总和所申报的上下界亦不能"),
    );
    match terms.round_to() {
        1 => told.add("counts are exact", "计数不取整"),
        base => told.add(
            format!("counts are rounded to multiples of {base}"),
            format!("计数取整为 {base} 的倍数"),
        ),
    }
    let (groups, withheld) = (terms.groups_max(), terms.withheld_percent_max());
    told.add(
        format!("an answer has {groups} groups at most; a product whose figures would leave out more than {withheld} % of the rows does not open"),
        format!("一次答复最多 {groups} 组；若产品的数值会略去超过 {withheld}% 的记录，则该产品不开通"),
    );
    let (en, zh): (Vec<_>, Vec<_>) = terms.functions().iter().map(function).unzip();
    if en.is_empty() {
        told.add(
            "no function is listed, so nothing can be asked",
            "未列出任何函数，因此不可查询",
        );
    } else {
        told.add(
            format!("it may be asked for {}", en.join(", ")),
            format!("可查询：{}", zh.join("、")),
        );
    }
    let allows = |wanted| terms.functions().allows(wanted);
    if allows(Function::Average) && !allows(Function::Sum) {
        told.add(
            "beware: sums are not listed, yet an average times the rounded number that it was divided by is the exact sum; \
             whoever gets averages and numbers of rows has the sums, so leave out averages too if sums must not leave",
            "注意：未列出总和，但平均值乘以其除数（取整后的计数）即为精确总和；可查询平均值与记录数者即可得到总和，若总和不得输出，请同时去掉平均值",
        );
    }
}

fn function(known: Function) -> (&'static str, &'static str) {
    match known {
        Function::Average => ("averages", "平均值"),
        Function::Count => ("numbers of rows", "记录数"),
        Function::Entities => ("numbers of entities", "实体数"),
        Function::Sum => ("sums", "总和"),
    }
}

/// What may be asked about a column's values.
fn domain(domain: &Domain) -> (String, String) {
    let cells = domain.cells();
    match domain.kind() {
        DomainKind::Texts(_) | DomainKind::Integers(_) => (
            format!("by {cells} declared values; all others are one"),
            format!("只有 {cells} 个已申报取值，其余归为一类"),
        ),
        DomainKind::IntegerBins(_) | DomainKind::DateBins(_) => (
            format!("by {cells} declared bins, never more precisely"),
            format!("只有 {cells} 个已申报分箱，不会更细"),
        ),
        DomainKind::Bounds { min, max } => (
            format!(
                "with each value brought into {min} to {max}, which callers are told; sums near either are kept back, so these should be the tightest bounds that the public knows: a tighter one that is not declared is not defended"
            ),
            format!(
                "的每个值限于 {min} 至 {max}，调用方知道这一点；接近任一界的总和不输出，因此应为公众所知的最紧的界，未申报的更紧的界不受防御"
            ),
        ),
    }
}

/// What a use means.
fn words(allowed: Use) -> (&'static str, &'static str) {
    match allowed {
        Use::Aggregate => ("may be summed up over many persons", "可对多个主体汇总"),
        Use::Entity => (
            "may identify whom minimum group sizes count",
            "可作为最小分组人数的计数主体",
        ),
        Use::Filter => ("may select rows by declared values", "可按已申报取值筛选"),
        Use::Group => ("may part results into groups", "可作为分组维度"),
        Use::Link => ("may find the one a call is about", "可用于定位被查询主体"),
        Use::Model => ("may feed an approved model", "可作为已批准模型的输入"),
        Use::Show => (
            "may be shown as it is: public data",
            "可直接展示（公开数据）",
        ),
        Use::Verify => (
            "may be compared with a claim, of which one combined verdict leaves",
            "可与声明值比对，仅输出一个合并结论",
        ),
    }
}

#[cfg(test)]
mod tests;
