//! Names: surnames as often as they occur, given names as generations chose them. Whoever bears one is invented.
//!
//! The weights are rounded from published frequencies, with those surnames raised that are common in the south-west.
//! Compound surnames and rarely used characters are there because registers have them and programs trip over them.

use super::draws::{Draws, Weights};

#[cfg(test)]
mod tests;

/// Sex, as the register writes it and the identity number tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sex {
    /// 女
    Female,
    /// 男
    Male,
}

impl Sex {
    /// The register's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Sex::Female => "女",
            Sex::Male => "男",
        }
    }
}

/// Surnames of equal weight a line, the weight in hundredths of a per cent.
const SURNAMES: &[(u32, &[&str])] = &[
    (700, &["王", "李", "张"]),
    (520, &["黄", "刘", "陈"]),
    (300, &["杨", "韦", "梁", "周"]),
    (210, &["赵", "吴", "徐", "覃", "陆", "孙"]),
    (
        150,
        &["朱", "马", "胡", "郭", "林", "何", "高", "罗", "莫", "蒙"],
    ),
    (
        90,
        &[
            "郑", "谢", "宋", "唐", "许", "邓", "冯", "韩", "曹", "曾", "彭", "萧", "蔡", "潘",
            "田", "董", "农", "蓝",
        ],
    ),
    (
        50,
        &[
            "袁", "于", "余", "叶", "蒋", "杜", "苏", "魏", "程", "吕", "丁", "沈", "任", "姚",
            "卢", "傅", "钟", "姜", "崔", "谭", "廖", "范", "汪", "陶", "甘", "石", "金", "贾",
            "侬", "岑",
        ],
    ),
    (
        20,
        &[
            "夏", "付", "方", "白", "邹", "孟", "熊", "秦", "邱", "江", "尹", "薛", "闫", "段",
            "雷", "侯", "龙", "史", "黎", "贺", "顾", "毛", "郝", "龚", "邵", "万", "钱", "严",
            "武", "戴", "容", "零", "班", "劳", "庞", "麦",
        ],
    ),
    (
        4,
        &[
            "欧阳", "司徒", "上官", "诸葛", "仝", "逄", "亓", "郗", "尉迟", "令狐",
        ],
    ),
];

/// Characters of given names for one sex and generation.
struct Given {
    characters: &'static [&'static str],
    /// How many in a thousand have a given name of one character.
    single_per_mille: u32,
}

/// Women born before 1975, from 1975 to 1994, and later; then men.
const GIVEN: [[Given; 3]; 2] = [
    [
        Given {
            characters: &[
                "秀", "英", "兰", "玉", "珍", "芳", "桂", "梅", "凤", "华", "丽", "红", "琴", "霞",
                "莲", "萍", "云", "荣", "爱", "春", "香", "菊", "素", "月", "翠",
            ],
            single_per_mille: 160,
        },
        Given {
            characters: &[
                "丽", "敏", "静", "燕", "艳", "娟", "霞", "婷", "莉", "玲", "慧", "洁", "琳", "雪",
                "晓", "海", "春", "娜", "倩", "颖", "蓉", "薇", "佳", "莹", "文", "秋",
            ],
            single_per_mille: 260,
        },
        Given {
            characters: &[
                "欣", "怡", "梓", "涵", "雨", "思", "佳", "诗", "雯", "萱", "可", "语", "晴", "嘉",
                "悦", "琪", "子", "瑶", "若", "妍", "彤", "昕", "依", "宁",
            ],
            single_per_mille: 60,
        },
    ],
    [
        Given {
            characters: &[
                "建", "国", "明", "华", "志", "军", "文", "德", "平", "光", "永", "忠", "荣", "福",
                "新", "生", "林", "庆", "贵", "海", "成", "和", "振", "胜", "学",
            ],
            single_per_mille: 180,
        },
        Given {
            characters: &[
                "伟", "强", "勇", "军", "磊", "涛", "杰", "鹏", "辉", "斌", "超", "波", "浩", "峰",
                "刚", "俊", "志", "海", "龙", "飞", "健", "宇", "凯", "文", "晓", "洪",
            ],
            single_per_mille: 300,
        },
        Given {
            characters: &[
                "子", "轩", "浩", "宇", "泽", "博", "俊", "豪", "嘉", "诚", "睿", "梓", "天", "铭",
                "晨", "皓", "然", "文", "昊", "哲", "瑞", "弈", "航", "辰", "骏", "䶮",
            ],
            single_per_mille: 80,
        },
    ],
];

/// Draws names.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    surnames: Vec<&'static str>,
    weights: Weights,
}

impl Names {
    pub(crate) fn new() -> Names {
        let each = SURNAMES
            .iter()
            .flat_map(|(weight, names)| names.iter().map(move |name| (*weight, *name)));
        Names {
            surnames: each.clone().map(|(_, name)| name).collect(),
            weights: Weights::new(each.map(|(weight, _)| weight)),
        }
    }

    /// The name of somebody of `sex` born in `year`.
    pub(crate) fn draw(&self, sex: Sex, year: i32, draws: &mut Draws) -> String {
        let mut name = self.surnames[self.weights.draw(draws)].to_owned();
        let generation = match year {
            ..1975 => 0,
            1975..1995 => 1,
            1995.. => 2,
        };
        let by_sex = match sex {
            Sex::Female => &GIVEN[0],
            Sex::Male => &GIVEN[1],
        };
        let given = &by_sex[generation];
        let length = if draws.chance(given.single_per_mille) {
            1
        } else {
            2
        };
        for _ in 0..length {
            name.push_str(draws.one::<&str>(given.characters));
        }
        name
    }
}
