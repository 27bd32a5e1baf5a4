//! The rules by which a template is refused: code, meaning and what would be allowed, in English and Chinese.
//!
//! One table; the manual's list is generated from it. A refusal depends on the SQL text, the policies and the schemas,
//! never on a row of any table.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident $code:literal
        en: $en:literal, $en_instead:literal;
        zh: $zh:literal, $zh_instead:literal;)*) => {
        /// A rule that a template breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $en] $variant,)*
        }

        impl Rule {
            /// Every rule, in alphabetical order of the codes.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant,)*];

            /// The word by which programs know it.
            pub fn code(self) -> &'static str {
                match self { $(Rule::$variant => $code,)* }
            }

            /// What is wrong, in English.
            pub fn en(self) -> &'static str {
                match self { $(Rule::$variant => $en,)* }
            }

            /// What is wrong, in Chinese.
            pub fn zh(self) -> &'static str {
                match self { $(Rule::$variant => $zh,)* }
            }

            /// What would be allowed, in English.
            pub fn instead_en(self) -> &'static str {
                match self { $(Rule::$variant => $en_instead,)* }
            }

            /// What would be allowed, in Chinese.
            pub fn instead_zh(self) -> &'static str {
                match self { $(Rule::$variant => $zh_instead,)* }
            }
        }
    };
}

rules! {
    AggregateForm "AGGREGATE_FORM"
        en: "an aggregate is not one of the allowed ones in its plain form",
            "write count(*), count(column), count(distinct entity), sum(column) or avg(column), nothing inside but a column";
        zh: "聚合函数不在允许之列，或不是其最简形式",
            "只写 count(*)、count(列)、count(distinct 实体列)、sum(列)、avg(列)，括号内只能是列名";
    AggregateUse "AGGREGATE_USE"
        en: "the policy does not open the column for aggregates",
            "aggregate a column of the protected table whose uses include `aggregate`";
        zh: "策略未开放该列用于聚合",
            "只聚合受保护表中用途含 `aggregate` 的列";
    Clause "CLAUSE"
        en: "a clause is not allowed in a template",
            "use SELECT, FROM, JOIN … ON, WHERE, GROUP BY, HAVING, ORDER BY and LIMIT only";
        zh: "模板中不允许该子句",
            "只使用 SELECT、FROM、JOIN … ON、WHERE、GROUP BY、HAVING、ORDER BY、LIMIT";
    ColumnUnknown "COLUMN_UNKNOWN"
        en: "a name is not known or not unique, or a column's type does not fit what is done with it",
            "name columns of the declared tables, with the table's name in front where two tables have the column";
        zh: "名称不存在或指代不明，或列的类型与用法不符",
            "使用已声明表的列；两表同名的列须加表名前缀";
    ConditionForm "CONDITION_FORM"
        en: "a condition is not a comparison of a column with a declared value",
            "compare columns with declared values by =, <>, IN, NOT IN, BETWEEN or NOT BETWEEN, or with edges by >=, <, or what is next to them by <=, >, joined by AND, OR and NOT";
        zh: "条件不是列与已声明取值的比较",
            "以 =、<>、IN、NOT IN、BETWEEN、NOT BETWEEN 将列与已声明取值比较，或以 >=、< 与分界比较，或以 <=、> 与紧邻分界的值比较，并以 AND、OR、NOT 连接";
    DomainMissing "DOMAIN_MISSING"
        en: "the policy declares no fitting domain for the column",
            "declare values or bins for a column that selects or groups, bounds for one that is summed";
        zh: "策略未为该列声明相应的值域",
            "用于筛选或分组的列须声明取值或分箱，用于求和的列须声明上下界";
    DomainValue "DOMAIN_VALUE"
        en: "a value lies outside the column's declared domain",
            "compare for equality with declared values, for order with declared edges, by <= and > with the value right before one, and by BETWEEN with numbers between which all are declared";
        zh: "取值不在该列声明的值域内",
            "相等比较只用已声明的取值，范围比较只用已声明的分界，<= 与 > 只用分界前一个值，BETWEEN 只用其间各数均已声明的取值";
    EntityRule "ENTITY_RULE"
        en: "the protected table does not have exactly one entity column of text or integers",
            "give exactly one column the use `entity`";
        zh: "受保护表并非恰有一个文本或整数类型的实体列",
            "恰好为一列设置用途 `entity`";
    FigureForm "FIGURE_FORM"
        en: "a computation over released figures is not one of the allowed ones",
            "compute with + - * /, abs, round, nullif and CAST to DOUBLE or DECIMAL(18, 9) at most, from aggregates, windows over them, numbers and parameters that are whole numbers";
        zh: "对已发布数值的计算不在允许之列",
            "只用 + - * /、abs、round、nullif 以及 CAST 为 DOUBLE 或不超过 DECIMAL(18, 9)，由聚合、对聚合的窗口、数字与整数参数计算";
    FilterUse "FILTER_USE"
        en: "the policy does not open the column for selection",
            "select by a column whose uses include `filter`";
        zh: "策略未开放该列用于筛选",
            "只按用途含 `filter` 的列筛选";
    FunctionUse "FUNCTION_USE"
        en: "the policy does not open the function",
            "ask for functions that the policy's release terms list";
        zh: "策略未开放该函数",
            "只使用策略发布条件所列的函数";
    GroupsMany "GROUPS_MANY"
        en: "the declared domains make more groups than the policy or the node allows",
            "group by fewer columns or declare coarser bins";
        zh: "按声明的值域，分组数超过策略或节点的上限",
            "减少分组列，或声明更粗的分箱";
    GroupForm "GROUP_FORM"
        en: "a group column is made coarser in a way that the declared domain does not carry",
            "write date_trunc('month', column), 'quarter' or 'year' where all of them begin and end at declared edges, or CASE WHEN column compared with declared values THEN 'word' … END";
        zh: "分组列的归并方式与声明的值域不符",
            "写 date_trunc('month', 列)、'quarter' 或 'year'，且各单位均以已声明的分界起止；或写 CASE WHEN 列与已声明取值比较 THEN '词' … END";
    GroupUse "GROUP_USE"
        en: "the policy does not open the column for grouping",
            "group by a column whose uses include `group`";
        zh: "策略未开放该列用于分组",
            "只按用途含 `group` 的列分组";
    HavingForm "HAVING_FORM"
        en: "HAVING is not a comparison of released figures",
            "compare aggregates, and what is computed from them, with each other, with numbers or with parameters that are whole numbers by =, <>, <, <=, >, >= or BETWEEN, joined by AND, OR and NOT";
        zh: "HAVING 不是已发布数值的比较",
            "以 =、<>、<、<=、>、>=、BETWEEN 比较聚合、由其计算的数值、数字与整数参数，并以 AND、OR、NOT 连接";
    JoinForm "JOIN_FORM"
        en: "a join is not an inner or left join of the protected table with another one on equality of columns",
            "write `JOIN table ON protected.column = table.column` or `LEFT JOIN …`, with AND for further columns";
        zh: "连接不是受保护表与另一表按列相等的内连接或左连接",
            "写作 `JOIN 表 ON 受保护表.列 = 表.列` 或 `LEFT JOIN …`，多列以 AND 连接";
    JoinKey "JOIN_KEY"
        en: "the policy does not open the column as a join key",
            "join a public table to a column of the protected table whose uses include `group` and `filter`, of the same type";
        zh: "策略未开放该列作为连接键",
            "公开表只能连接到受保护表中用途含 `group` 与 `filter` 且类型相同的列";
    NotOneSelect "NOT_ONE_SELECT"
        en: "the text is not one plain SELECT statement",
            "write one SELECT, without a semicolon";
        zh: "文本不是单独一条 SELECT 语句",
            "只写一条 SELECT，不带分号";
    OrderForm "ORDER_FORM"
        en: "ORDER BY or LIMIT is not in its plain form",
            "order by names of output columns, or by aggregates and computations that are outputs, and limit by a number from 1";
        zh: "ORDER BY 或 LIMIT 不是最简形式",
            "只按输出列名，或按同为输出项的聚合与计算排序，LIMIT 只写不小于 1 的数字";
    OutputForm "OUTPUT_FORM"
        en: "an output is neither a group column nor an aggregate nor computed from aggregates",
            "select columns that stand in GROUP BY, aggregates, and numbers computed from them";
        zh: "输出项既不是分组列，也不是聚合或由聚合计算的数值",
            "只选择出现在 GROUP BY 中的列、聚合以及由聚合计算的数值";
    Parameter "PARAMETER"
        en: "a parameter is not declared, not used, declared twice, or its values do not fit the column",
            "declare each `$name` of the text once, with the kind and values or edges of its column's domain; as a whole number where it is compared with figures or computed with";
        zh: "参数未声明、未使用、重复声明，或其取值与列不符",
            "文本中的每个 `$名称` 须声明一次，类型与取值须来自该列的值域；与数值比较或参与计算的须为整数";
    PlanUnexpected "PLAN_UNEXPECTED"
        en: "the planned statement has a part that the guard does not know",
            "write the statement more plainly";
        zh: "计划中出现闸门不认识的部分",
            "把语句写得更简单";
    PrivacyBudget "PRIVACY_BUDGET"
        en: "the policy of the protected table states no privacy budget, or names no space of its entity",
            "state `[dp]` in the policy, and the space of its entity column in `[spaces]`";
        zh: "受保护表的策略没有隐私预算，或未写明其实体的标识空间",
            "在策略中写明 `[dp]`，并在 `[spaces]` 中写明实体列的标识空间";
    PrivacyForm "PRIVACY_FORM"
        en: "a statistic with noise joins a second protected table, computes with its figures, or narrows a column that it \
             does not sum",
            "join public tables only, leave out HAVING, windows and arithmetic, which the caller can do with the noisy figures, and \
             narrow columns that are summed or averaged, to bounds within the declared ones";
        zh: "加噪统计连接了另一张受保护表，对数值再作运算，或收窄了并不求和的列",
            "只连接公开表；去掉 HAVING、窗口与算术运算（调用方可自行对加噪数值运算）；只收窄求和或求平均的列，且界限须在已声明的上下界之内";
    PrivacyTerms "PRIVACY_TERMS"
        en: "a term of the noise is out of its range",
            "state `rho` above 0 and up to 10, `groups_per_entity_max` and `rows_per_entity_max` of 1 to 1000000";
        zh: "加噪条件超出范围",
            "`rho` 大于 0 且不超过 10，`groups_per_entity_max` 与 `rows_per_entity_max` 取 1 至 1000000";
    ProtectedTable "PROTECTED_TABLE"
        en: "the statement reads no protected table, or a second one that is not joined on the entity of the same id space",
            "read one protected table; every other table must be public in all its used columns, or joined on the entity where both policies name one id space";
        zh: "语句未读取受保护表，或另一受保护表未按同一标识空间的实体连接",
            "读取一张受保护表；其余表所用各列均须公开，或两份策略写明同一标识空间并按实体连接";
    ReleaseTerms "RELEASE_TERMS"
        en: "the policy of the protected table has no release terms",
            "state `release` in the policy: minimum group, dominance, rounding, number of groups";
        zh: "受保护表的策略没有发布条件",
            "在策略中写明 `release`：最小组、支配度、取整、组数上限";
    ResultLarge "RESULT_LARGE"
        en: "the answer could be larger than the node allows",
            "output fewer columns or fewer groups";
        zh: "结果可能超过节点允许的大小",
            "减少输出列或分组数";
    SqlLong "SQL_LONG"
        en: "the text is longer than the node allows or has too many parts",
            "shorten the statement";
        zh: "文本过长或部分过多",
            "缩短语句";
    TableForm "TABLE_FORM"
        en: "a table is not named plainly",
            "write the table's name, and an alias where needed";
        zh: "表的写法不是最简形式",
            "只写表名，必要时加别名";
    TableRulesUnfit "TABLE_RULES"
        en: "the declared tables have a name that is malformed or used twice",
            "give each table one name of `a-z 0-9 _`";
        zh: "声明的表名不合规或重复",
            "每张表一个名称，只用 `a-z 0-9 _`";
    Token "TOKEN"
        en: "the text has a comment, a quoted or non-ASCII name, or a sign that no template needs",
            "write plain names, numbers, 'texts', $parameters and the signs , . ( ) + - * / = <> < <= > >=";
        zh: "文本含有注释、加引号或非 ASCII 的名称，或模板用不到的符号",
            "只写普通名称、数字、'文本'、$参数 以及符号 , . ( ) + - * / = <> < <= > >=";
    TypeUnfit "TYPE_UNFIT"
        en: "the column's type does not fit its use or its domain",
            "use text, integers up to 64 bits or dates to select and group, numbers to sum";
        zh: "列的类型与其用途或值域不符",
            "筛选和分组用文本、64 位以内整数或日期，求和用数值";
    WindowForm "WINDOW_FORM"
        en: "a window is not one of the allowed ones over released figures",
            "write sum(figure) OVER (PARTITION BY group columns ORDER BY …), rank() or row_number() OVER (… ORDER BY …), without ROWS or RANGE, in SELECT only; in lag(figure, 1) and lead(figure, 1) PARTITION BY and ORDER BY name all group columns, which are outputs, and nothing else";
        zh: "窗口不是对已发布数值允许的写法",
            "写 sum(数值) OVER (PARTITION BY 分组列 ORDER BY …)、rank() 或 row_number() OVER (… ORDER BY …)，不写 ROWS 与 RANGE，且只在 SELECT 中；lag(数值, 1) 与 lead(数值, 1) 的 PARTITION BY 与 ORDER BY 须恰好包含全部分组列，且这些列均为输出项";
}

/// Why a template is refused: the rule, and the column or part of the statement that breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRefused {
    rule: Rule,
    subject: Option<String>,
}

impl TemplateRefused {
    pub(crate) fn new(rule: Rule, subject: impl Into<String>) -> TemplateRefused {
        TemplateRefused {
            rule,
            subject: Some(subject.into()),
        }
    }

    pub(crate) fn bare(rule: Rule) -> TemplateRefused {
        TemplateRefused {
            rule,
            subject: None,
        }
    }

    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The rule's code.
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// The column, parameter or clause: metadata, never a value.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The refusal in English, with what would be allowed.
    pub fn en(&self) -> String {
        let subject = self.subject.as_deref().map(|s| format!(" (`{s}`)"));
        format!(
            "{}{}; {}",
            self.rule.en(),
            subject.unwrap_or_default(),
            self.rule.instead_en()
        )
    }

    /// The refusal in Chinese, with what would be allowed.
    pub fn zh(&self) -> String {
        let subject = self.subject.as_deref().map(|s| format!("（`{s}`）"));
        format!(
            "{}{}；{}",
            self.rule.zh(),
            subject.unwrap_or_default(),
            self.rule.instead_zh()
        )
    }
}

impl fmt::Display for TemplateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.en())
    }
}

impl std::error::Error for TemplateRefused {}

/// A refusal by `rule` that names `subject`.
pub(crate) fn refuse<T>(rule: Rule, subject: impl Into<String>) -> Result<T, TemplateRefused> {
    Err(TemplateRefused::new(rule, subject))
}
