//! Industries: the twenty sections of GB/T 4754-2017, a public classification and the register's dimension table.

/// One section.
#[derive(Clone, Copy, Debug)]
pub struct Industry {
    /// `A` to `T`.
    pub code: &'static str,
    /// 门类名称
    pub name_zh: &'static str,
    /// In English.
    pub name_en: &'static str,
    /// How many of a thousand insured persons work in it.
    pub(crate) weight: u32,
    /// Usual contribution base, yuan a month.
    pub(crate) base: u32,
}

const fn section(
    code: &'static str,
    name_zh: &'static str,
    name_en: &'static str,
    weight: u32,
    base: u32,
) -> Industry {
    Industry {
        code,
        name_zh,
        name_en,
        weight,
        base,
    }
}

/// Every section. `T` is so small that its groups fall below any minimum.
pub const INDUSTRIES: [Industry; 20] = [
    section(
        "A",
        "农、林、牧、渔业",
        "agriculture, forestry, animal husbandry, fishery",
        250,
        4_300,
    ),
    section("B", "采矿业", "mining", 90, 6_900),
    section("C", "制造业", "manufacturing", 2_300, 5_900),
    section(
        "D",
        "电力、热力、燃气及水生产和供应业",
        "electricity, heat, gas and water supply",
        200,
        9_200,
    ),
    section("E", "建筑业", "construction", 950, 5_400),
    section("F", "批发和零售业", "wholesale and retail", 1_250, 4_900),
    section(
        "G",
        "交通运输、仓储和邮政业",
        "transport, storage and post",
        900,
        6_100,
    ),
    section(
        "H",
        "住宿和餐饮业",
        "accommodation and catering",
        420,
        4_400,
    ),
    section(
        "I",
        "信息传输、软件和信息技术服务业",
        "information, software and IT services",
        330,
        9_800,
    ),
    section("J", "金融业", "finance", 310, 10_600),
    section("K", "房地产业", "real estate", 260, 5_700),
    section(
        "L",
        "租赁和商务服务业",
        "leasing and business services",
        520,
        5_600,
    ),
    section(
        "M",
        "科学研究和技术服务业",
        "research and technical services",
        250,
        8_700,
    ),
    section(
        "N",
        "水利、环境和公共设施管理业",
        "water, environment and public facilities",
        160,
        4_800,
    ),
    section(
        "O",
        "居民服务、修理和其他服务业",
        "resident services, repair and other",
        260,
        4_500,
    ),
    section("P", "教育", "education", 590, 7_600),
    section("Q", "卫生和社会工作", "health and social work", 480, 7_900),
    section(
        "R",
        "文化、体育和娱乐业",
        "culture, sports and entertainment",
        130,
        5_800,
    ),
    section(
        "S",
        "公共管理、社会保障和社会组织",
        "public administration and social organisations",
        340,
        7_800,
    ),
    section("T", "国际组织", "international organisations", 3, 11_500),
];
