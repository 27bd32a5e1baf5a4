//! Who takes part. All organisations and places are invented; the data is real.

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
    /// 青禾市数据局, the regulator of another city.
    OtherBureau,
    /// 岚溪市交通运输局, the data-source unit.
    Unit,
}

impl Party {
    /// Everybody.
    pub const ALL: [Party; 6] = [
        Party::Agency,
        Party::Bank,
        Party::Broker,
        Party::Bureau,
        Party::OtherBureau,
        Party::Unit,
    ];

    /// The party's id.
    pub fn id(self) -> PartyId {
        let id = match self {
            Party::Agency => "party_gx.guiyun",
            Party::Bank => "party_gx.mingjiang-bank",
            Party::Broker => "party_gx.huiqi",
            Party::Bureau => "party_gx.data-bureau",
            Party::OtherBureau => "party_gx.qinghe-data-bureau",
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
            Party::OtherBureau => "青禾市数据局 Qinghe Data Bureau",
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
            Party::Unit => Role::DataSourceUnit,
        }
    }

    /// Its region.
    pub fn region(self) -> Region {
        let code = match self {
            Party::Agency | Party::Bank | Party::Broker | Party::Bureau => REGION,
            Party::OtherBureau => OTHER_CITY,
            Party::Unit => CITY,
        };
        code.parse().expect("the cast's regions are well-formed")
    }
}

/// The autonomous region.
pub const REGION: &str = "45";
/// 岚溪市, where the node is.
pub const CITY: &str = "4591";
/// 青禾市, another city of the same region.
pub const OTHER_CITY: &str = "4592";
/// What every stream of this coordinator is named under.
pub const ORIGIN_NAME: &str = "lingqu.example";
/// Unified social credit code of the bank, for whom its answers are meant.
pub const END_USER: &str = "91450000MA5DEM001X";
/// The scenario of the bank's grant.
pub const SCENARIO: &str = "SC-0001";
/// Its purpose.
pub const PURPOSE: &str = "AIRCRAFT-LENDING";

/// The unit's node.
pub fn node() -> NodeId {
    "node_gx.lanxi-tb-01".parse().expect("well-formed")
}

/// The coordinator.
pub fn coordinator() -> CoordinatorId {
    "coord_gx".parse().expect("well-formed")
}
