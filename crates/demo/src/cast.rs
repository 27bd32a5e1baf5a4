//! Who takes part. All organisations, people and places are invented; of the data, only the flights are real.

use lingqu_core::{CoordinatorId, NodeId, PartyId, Region, Role};

/// One organisation of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// 桂云数据运营有限公司, the operating agency.
    Agency,
    /// 明江银行, a scenario licensee.
    Bank,
    /// 惠启数据经纪有限公司, a catalog licensee.
    Broker,
    /// 自治区数据局, the regulator of the whole region.
    Bureau,
    /// 自治区公共数据实施中心, the implementing agency.
    Implementing,
    /// 青禾市数据局, the regulator of one city.
    OtherBureau,
    /// 青禾市人力资源和社会保障局, a data-source unit.
    SocialSecurity,
    /// 岚溪市交通运输局, the data-source unit that came first.
    Unit,
}

impl Party {
    /// Everybody.
    pub const ALL: [Party; 8] = [
        Party::Agency,
        Party::Bank,
        Party::Broker,
        Party::Bureau,
        Party::Implementing,
        Party::OtherBureau,
        Party::SocialSecurity,
        Party::Unit,
    ];

    /// The party's id.
    pub fn id(self) -> PartyId {
        let id = match self {
            Party::Agency => "party_gx.guiyun",
            Party::Bank => "party_gx.mingjiang-bank",
            Party::Broker => "party_gx.huiqi",
            Party::Bureau => "party_gx.data-bureau",
            Party::Implementing => "party_gx.implementing-centre",
            Party::OtherBureau => "party_gx.qinghe-data-bureau",
            Party::SocialSecurity => "party_gx.qinghe-hrss",
            Party::Unit => "party_gx.lanxi-transport",
        };
        id.parse().expect("the cast's ids are well-formed")
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Party::Agency => "桂云数据运营有限公司 Guiyun Data Operation Co.",
            Party::Bank => "明江银行 Mingjiang Bank",
            Party::Broker => "惠启数据经纪有限公司 Huiqi Data Brokerage",
            Party::Bureau => "自治区数据局 Regional Data Bureau",
            Party::Implementing => "自治区公共数据实施中心 Regional Implementing Centre",
            Party::OtherBureau => "青禾市数据局 Qinghe Data Bureau",
            Party::SocialSecurity => {
                "青禾市人力资源和社会保障局 Qinghe Human Resources and Social Security Bureau"
            }
            Party::Unit => "岚溪市交通运输局 Lanxi City Transport Bureau",
        }
    }

    /// Its role.
    pub fn role(self) -> Role {
        match self {
            Party::Agency => Role::OperatingAgency,
            Party::Bank => Role::ScenarioLicensee,
            Party::Broker => Role::CatalogLicensee,
            Party::Bureau | Party::OtherBureau => Role::Regulator,
            Party::Implementing => Role::ImplementingAgency,
            Party::SocialSecurity | Party::Unit => Role::DataSourceUnit,
        }
    }

    /// Its region.
    pub fn region(self) -> Region {
        let code = match self {
            Party::Agency | Party::Bank | Party::Broker | Party::Bureau | Party::Implementing => {
                REGION
            }
            Party::OtherBureau | Party::SocialSecurity => OTHER_CITY,
            Party::Unit => CITY,
        };
        code.parse().expect("the cast's regions are well-formed")
    }
}

/// A data-source unit with a node of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// The social-security bureau's node, over insured persons.
    SocialSecurity,
    /// The transport bureau's node, over aircraft and flights.
    Transport,
}

impl Unit {
    /// Every unit, in the order in which they came.
    pub const ALL: [Unit; 2] = [Unit::Transport, Unit::SocialSecurity];

    /// The party that owns the node.
    pub fn party(self) -> Party {
        match self {
            Unit::SocialSecurity => Party::SocialSecurity,
            Unit::Transport => Party::Unit,
        }
    }

    /// Its node.
    pub fn node(self) -> NodeId {
        let id = match self {
            Unit::SocialSecurity => "node_gx.qinghe-ssb-01",
            Unit::Transport => "node_gx.lanxi-tb-01",
        };
        id.parse().expect("the cast's ids are well-formed")
    }

    /// Division code of its city.
    pub fn city(self) -> &'static str {
        match self {
            Unit::SocialSecurity => OTHER_CITY,
            Unit::Transport => CITY,
        }
    }

    /// The directory of its node, within the network's.
    pub fn dir(self) -> &'static str {
        match self {
            Unit::SocialSecurity => "node-ssb",
            Unit::Transport => "node",
        }
    }

    /// The unit that owns a node.
    pub fn of_node(node: &NodeId) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.node() == *node)
    }
}

/// The autonomous region.
pub const REGION: &str = "45";
/// 岚溪市, whose transport bureau has a node. No place has this division code.
pub const CITY: &str = "4591";
/// 青禾市, whose social-security bureau has one. No place has this code either.
pub const OTHER_CITY: &str = "4592";
/// What every stream of this coordinator is named under.
pub const ORIGIN_NAME: &str = "lingqu.example";
/// Unified social credit code of the bank, for whom its answers are meant.
pub const END_USER: &str = "91450000MA5DEM001X";
/// The scenario of the bank's grant.
pub const SCENARIO: &str = "SC-0001";
/// Its purpose.
pub const PURPOSE: &str = "LENDING_CREDIT";

/// How a unit names its own policies.
pub fn handle(unit: Unit) -> &'static str {
    match unit {
        Unit::SocialSecurity => "qinghe",
        Unit::Transport => "lanxi",
    }
}

/// The transport bureau's node.
pub fn node() -> NodeId {
    Unit::Transport.node()
}

/// The coordinator.
pub fn coordinator() -> CoordinatorId {
    "coord_gx".parse().expect("well-formed")
}
