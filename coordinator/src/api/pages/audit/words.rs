//! The audit page's words, in both languages. The Chinese ones are those of the regulations.

use super::super::language::Language;
use super::super::words::{Mark, mark, pick};
use crate::audit::span::Fault;
use crate::audit::window::Class;

words! {
    title: "灵渠 调用审计", "Lingqu call audit";
    subtitle: "辖区内全部调用存证，逐段回读核验后显示", "Every recorded call of the region, shown after it was read back and checked";
    viewer: "查看方", "Viewer";
    region: "行政区划", "Region";
    made: "生成时间", "As of";
    utc8: "UTC+8", "UTC+8";
    other_language: "English", "中文";
    refresh_on: "自动刷新", "Refresh automatically";
    refresh_off: "停止自动刷新", "Stop refreshing";
    console: "运营总览", "Overview";
    filters: "筛选", "Filters";
    unit: "数源单位", "Data-source unit";
    party: "主体", "Party";
    product: "数据产品", "Product";
    purpose: "用途", "Purpose";
    outcome: "结果", "Outcome";
    kinds: "记录类型", "Records";
    from: "起", "From";
    until: "止", "Until";
    any: "全部", "any";
    kinds_calls: "调用与拒绝", "calls and refusals";
    kinds_acts: "管理与变更", "acts and changes";
    kinds_all: "全部记录", "everything";
    apply: "查询", "Show";
    clear: "清除", "Clear";
    totals: "概况", "At a glance";
    records: "符合条件的记录", "Records found";
    answered: "已答复调用", "Calls answered";
    failed: "执行失败", "Failed";
    refused: "已拒绝调用", "Calls refused";
    acts: "管理与变更", "Acts and changes";
    spans_checked: "已核验区段", "Spans checked";
    spans_waiting: "待核验区段", "Spans waiting";
    chart_calls: "调用量", "Calls over time";
    chart_refused: "拒绝量", "Denials over time";
    answered_word: "已答复", "answered";
    failed_word: "执行失败", "failed";
    refused_word: "已拒绝", "refused";
    each_bar: "每柱", "each bar";
    list: "调用记录", "Records";
    time: "时间", "Time";
    node: "数源节点", "Node";
    caller: "使用方 · 授权", "Caller · grant";
    what: "产品 · 用途", "Product · purpose";
    environment: "环境", "Environment";
    units: "计量", "Units";
    span: "区段", "Span";
    proof: "存证回执", "Proof";
    receipt: "下载", "receipt";
    download: "下载本页全部回执", "Download the proofs of this page";
    older: "更早记录", "Older records";
    newest: "回到最新", "Newest records";
    none: "没有符合条件的记录", "Nothing fits";
    cut: "更早的记录不在本页窗口内，完整记录请用 audit export 导出。", "Older records have left this page's window; audit export has all of them.";
    list_note: "本页不含查询对象、参数和答案，日志中亦无。回执由信任文件离线核验，不依赖本平台：lingqu audit verify --trust FILE 下载的文件。", "Subjects, parameters and answers are not here, nor in the log. A receipt is checked offline with your own trust file and without us: lingqu audit verify --trust FILE DOWNLOAD.";
    streams: "日志流核验状态", "Streams";
    stream: "日志流", "Stream";
    read: "已核验 / 已镜像", "Checked / mirrored";
    state: "状态", "State";
    spans: "最新区段", "Latest spans";
    head: "头部", "Head";
    entries: "条目", "Entries";
    root: "根", "Root";
    mirrored: "镜像时间", "Mirrored";
    spans_note: "每个区段由磁盘回读，逐条计算至数源节点签名、镜像副署的根；区域头部日志覆盖全部区段，缺一即不符。本页结论为运营平台陈述；请用 lingqu audit follow 自行核验。", "Each span is read back from the disk and computed up to the root that the node signed and the mirror cosigned. The region's head log is over all of them, so that none can be missing. What this page says is the coordinator's word; lingqu audit follow checks it for yourself.";
    footer: "本页的查看和下载行为已存证。", "Looking at this page and downloading from it is on record.";
}

/// The words of a language.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::Chinese => &CHINESE,
        Language::English => &ENGLISH,
    }
}

/// How far a span is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanState {
    /// A witness contradicts the region's head log, or the head log is not over its heads.
    Contradicted,
    /// Something in it does not hold.
    Faulty(Fault),
    /// Read back and checked, and the signed head log is over it.
    Checked,
    /// The same, and enough witnesses have cosigned the head log.
    Witnessed,
    /// Not read back yet.
    Waiting,
}

pub(super) fn span_state(language: Language, state: SpanState) -> Mark {
    match state {
        SpanState::Contradicted => mark(language, "bad", "头部日志矛盾", "head log contradicted"),
        SpanState::Faulty(_) => mark(language, "bad", "核验不符", "does not hold"),
        SpanState::Checked => mark(language, "good", "已核验", "checked"),
        SpanState::Witnessed => mark(language, "good", "已核验并见证", "checked, witnessed"),
        SpanState::Waiting => mark(language, "wait", "待核验", "waiting"),
    }
}

pub(super) fn fault(language: Language, fault: Fault) -> &'static str {
    match fault {
        Fault::Before => pick(language, "先前区段不符", "an earlier span does not hold"),
        Fault::Entry => pick(
            language,
            "条目与位置不符",
            "an entry is not the record of its place",
        ),
        Fault::Head => pick(language, "头部记录不符", "the head is another one"),
        Fault::HeadLog => pick(language, "头部日志不符", "the head log is over other heads"),
        Fault::Root => pick(
            language,
            "条目与已签名的根不符",
            "the entries do not lead to the signed root",
        ),
        Fault::Signature => pick(
            language,
            "签名缺失或不符",
            "a signature is missing or wrong",
        ),
    }
}

/// What stands beside a stream that has ended.
pub(super) fn ended(language: Language, next: &str) -> String {
    match language {
        Language::Chinese => format!("已终结，后续日志流：{next}"),
        Language::English => format!("ended, followed by {next}"),
    }
}

pub(super) fn class(language: Language, class: Class) -> Mark {
    match class {
        Class::Answered => mark(language, "good", "已答复", "answered"),
        Class::Failed => mark(language, "wait", "执行失败", "failed"),
        Class::Refused => mark(language, "bad", "已拒绝", "refused"),
        Class::Act => mark(language, "plain", "管理", "act"),
    }
}

/// The length of a bar for people.
pub(super) fn length(language: Language, seconds: i64) -> String {
    let (count, zh, en) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "天", "d"),
        s if s % 3_600 == 0 => (s / 3_600, "小时", "h"),
        s if s % 60 == 0 => (s / 60, "分钟", "min"),
        s => (s, "秒", "s"),
    };
    format!("{count} {}", pick(language, zh, en))
}
