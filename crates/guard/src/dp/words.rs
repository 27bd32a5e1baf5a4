//! A statistic with noise in plain words: what would be released with which σ, under which limits, at what cost.

use lingqu_policy::MicroRho;

use super::accounting::epsilon_text;
use super::{DpBound, DpTemplate};
use crate::explain::{Explanation, Topic, bound_statement, statement};

/// Explains a template, for whatever its parameters will be.
pub(super) fn template(of: &DpTemplate) -> Explanation {
    let template = &of.0.template;
    let mut told = statement(
        template.query(),
        template.all_rules(),
        template.parameters(),
    );
    terms(of, &mut told);
    told
}

/// Explains a template with its arguments.
pub(super) fn bound(of: &DpBound) -> Explanation {
    let rules = of.template.0.template.all_rules();
    let mut told = bound_statement(&of.bound.query, rules);
    terms(&of.template, &mut told);
    told
}

fn terms(of: &DpTemplate, told: &mut Explanation) {
    let plan = &of.0.plan;
    for figure in of.figures() {
        let (what, sigma) = (&figure.what, rounded_up(figure.sigma));
        let most = figure.sensitivity;
        told.say(
            Topic::Rule,
            format!(
                "`{what}` gets discrete Gaussian noise of standard deviation {sigma} in every group; one entity changes it by {most} at most"
            ),
            format!("每组的 `{what}` 均加标准差为 {sigma} 的离散高斯噪声；单一实体至多使其变动 {most}"),
        );
    }
    let (groups, limit) = (plan.groups, plan.groups_per_entity);
    told.say(
        Topic::Rule,
        format!(
            "all {groups} declared groups are released, empty ones too; nothing is left out, and figures may be negative"
        ),
        format!("全部 {groups} 个已声明的组均发布，空组亦然；不作抑制，数值可能为负"),
    );
    told.say(
        Topic::Rule,
        format!(
            "an entity counts in {limit} groups at most, chosen by a keyed order, and within the stated limits of rows and values"
        ),
        format!("每个实体至多计入 {limit} 组（按带密钥的次序选取），行数与取值均以所声明的上限为限"),
    );
    cost(of, told);
}

fn cost(of: &DpTemplate, told: &mut Explanation) {
    let cost = of.cost();
    let (space, rho, total) = (&cost.space, cost.rho, cost.budget.rho_total());
    told.say(
        Topic::Cost,
        format!(
            "an answer costs ρ = {rho} of the {total} that all callers together have for `{space}`, and of the grant's own; the same question over the same load has the same answer and costs the grant alone"
        ),
        format!(
            "每次答复耗用 `{space}` 的隐私预算 ρ = {rho}（各调用方共用，总额 {total}），并计入授权自身额度；同一批次数据上的同一问题返回同一答复，只计授权额度"
        ),
    );
    let delta = cost.budget.delta();
    let [one, all] = [rho, total].map(|rho| epsilon_text(rho_number(rho), delta));
    let exponent = cost.budget.delta_exponent();
    told.say(
        Topic::Cost,
        format!(
            "at δ = 10^-{exponent} an answer by itself is ε = {one}, and the whole budget is ε = {all}"
        ),
        format!("取 δ = 10^-{exponent} 时，单次答复相当于 ε = {one}，全部预算相当于 ε = {all}"),
    );
}

fn rho_number(rho: MicroRho) -> f64 {
    rho.0 as f64 / 1e6
}

/// Four significant digits, not below what it stands for.
fn rounded_up(number: f64) -> String {
    if number <= 0.0 {
        return "0".to_owned();
    }
    let digits = 3 - number.log10().floor() as i32;
    let unit = 10_f64.powi(digits);
    let up = (number * unit).ceil() / unit;
    match usize::try_from(digits) {
        Ok(digits) => format!("{up:.digits$}"),
        Err(_) => format!("{up:.0}"),
    }
}
