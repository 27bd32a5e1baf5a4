//! The page's own words, in both languages. The Chinese ones are those of the regulations.

use lingqu_core::grant::{Environment, GrantKind};
use lingqu_core::product::ProductKind;
use lingqu_core::{ErrorCode, Role};

use super::language::Language;
use crate::registry::overview::{GrantState, ProductState};

words! {
    title: "灵渠 运营平台（协调端）", "Lingqu coordinator";
    subtitle: "原始数据不出域，数据可用不可见", "The answer leaves, the data never does";
    viewer: "查看方", "Viewer";
    region: "行政区划", "Region";
    made: "生成时间", "As of";
    utc8: "UTC+8", "UTC+8";
    other_language: "English", "中文";
    refresh_on: "自动刷新", "Refresh automatically";
    refresh_off: "停止自动刷新", "Stop refreshing";
    counts: "概况", "At a glance";
    nodes: "数源节点", "Nodes";
    nodes_connected: "在线节点", "Nodes connected";
    products: "数据产品", "Products";
    grants: "授权令牌", "Grants";
    grants_in_force: "有效授权", "Grants in force";
    records: "已镜像记录", "Records mirrored";
    epoch: "撤销清单编号", "Revocation list";
    revoked: "撤销项", "Revoked";
    audit: "调用审计", "Call audit";
    calls: "最新调用", "Latest calls";
    name: "名称", "Name";
    unit: "数源单位", "Unit";
    state: "状态", "State";
    last_contact: "最近联系", "Last contact";
    stream: "日志记录数", "Records in the log";
    head: "镜像检查点", "Mirrored head";
    kind: "类型", "Kind";
    node: "数源节点", "Node";
    version: "版本", "Version";
    party: "被授权主体", "Licensee";
    scenario: "场景", "Scenario";
    validity: "有效期", "Term";
    number: "备案编号", "Filing";
    time: "时间", "Time";
    product: "数据产品", "Product";
    environment: "环境", "Environment";
    outcome: "结果", "Outcome";
    none: "暂无", "None";
    cut: "仅显示最新的部分。", "Only the newest are shown.";
    calls_note: "仅列出辖区内已镜像的调用记录；不含数据使用方、查询对象、参数和答案。", "Mirrored records of the region; end users, subjects, parameters and answers are not shown.";
    footer: "本页的查看行为已存证。", "Looking at this page is on record.";
    never: "从未", "never";
    to: "至", "to";
}

/// The words of a language.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::Chinese => &CHINESE,
        Language::English => &ENGLISH,
    }
}

/// A word and how it is coloured: `good`, `wait` or `bad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

pub(super) fn mark(
    language: Language,
    class: &'static str,
    zh: &'static str,
    en: &'static str,
) -> Mark {
    Mark {
        word: pick(language, zh, en),
        class,
    }
}

pub(super) fn pick(language: Language, zh: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Chinese => zh,
        Language::English => en,
    }
}

pub(super) fn node_state(language: Language, is_connected: bool, was_heard: bool) -> Mark {
    match (is_connected, was_heard) {
        (true, _) => mark(language, "good", "在线", "connected"),
        (false, true) => mark(language, "bad", "离线", "away"),
        (false, false) => mark(language, "wait", "未上线", "not seen yet"),
    }
}

pub(super) fn product_state(language: Language, state: ProductState) -> Mark {
    match state {
        ProductState::Approved => mark(language, "good", "已批准", "approved"),
        ProductState::Filed => mark(
            language,
            "wait",
            "已登记，待批准",
            "registered, not approved",
        ),
        ProductState::Revoked => mark(language, "bad", "已撤销", "revoked"),
    }
}

pub(super) fn grant_state(language: Language, state: GrantState) -> Mark {
    match state {
        GrantState::Expired => mark(language, "bad", "已到期", "expired"),
        GrantState::InForce => mark(language, "good", "有效", "in force"),
        GrantState::NotYetValid => mark(language, "wait", "未生效", "not yet valid"),
        GrantState::Revoked => mark(language, "bad", "已撤销", "revoked"),
        GrantState::Suspended => mark(language, "wait", "已暂停", "suspended"),
    }
}

pub(super) fn product_kind(language: Language, kind: ProductKind) -> &'static str {
    match kind {
        ProductKind::Model => pick(language, "模型", "model"),
        ProductKind::Statistic => pick(language, "统计", "statistic"),
        ProductKind::Verification => pick(language, "核验", "verification"),
    }
}

pub(super) fn grant_kind(language: Language, kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Catalog => pick(language, "目录授权", "catalog"),
        GrantKind::Scenario => pick(language, "场景授权", "scenario"),
    }
}

pub(super) fn role(language: Language, role: Role) -> &'static str {
    match role {
        Role::CatalogLicensee => pick(language, "目录授权经营主体", "catalog licensee"),
        Role::DataSourceUnit => pick(language, "数源单位", "data-source unit"),
        Role::ImplementingAgency => pick(language, "实施机构", "implementing agency"),
        Role::OperatingAgency => pick(language, "运营机构", "operating agency"),
        Role::Regulator => pick(language, "监管部门", "regulator"),
        Role::ScenarioLicensee => pick(language, "场景授权经营主体", "scenario licensee"),
        Role::Verifier => pick(language, "第三方核验机构", "verifier"),
    }
}

pub(super) fn environment(language: Language, word: &str) -> &'static str {
    if word == Environment::Prod.as_str() {
        pick(language, "生产", "PROD")
    } else if word == Environment::ProdDebug.as_str() {
        pick(language, "生产调试", "PROD_DEBUG")
    } else if word == Environment::Test.as_str() {
        pick(language, "测试", "TEST")
    } else {
        // The request of a refused call could not be read.
        "–"
    }
}

/// What became of a call: the code stays the same in every language, and is explained.
pub(super) fn outcome(language: Language, word: &str) -> (Mark, String) {
    if word == "ANSWERED" {
        return (mark(language, "good", "已答复", "answered"), String::new());
    }
    match word.parse::<ErrorCode>() {
        Ok(code) => {
            let explained = pick(language, code.message_zh(), code.message_en());
            (
                mark(language, "bad", "已拒绝", "refused"),
                format!("{code} · {explained}"),
            )
        }
        Err(_) => (mark(language, "wait", "未知", "unknown"), String::new()),
    }
}
