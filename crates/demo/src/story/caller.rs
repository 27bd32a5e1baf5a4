//! A caller of the story: what it asks, and what it is told, in a word.

use lingqu_client::{Answered, CallFailed, Node, Question};
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::trust::Trust;
use lingqu_proto::{ClaimValue, Verdict};
use lingqu_tlog::Intl;

use crate::cast::{self, Party};
use crate::network::{Network, NetworkFailed};
use crate::objects::Which;

/// A connection to the node as one party.
pub(super) struct Caller {
    node: Node,
}

impl Caller {
    pub(super) async fn connect_with(
        network: &Network,
        party: Party,
        trust: Trust<Intl>,
    ) -> Result<Caller, NetworkFailed> {
        let identity = network.identity(party)?;
        let channel = network.dial_node(&identity).await?;
        Ok(Caller {
            node: Node::over(channel, trust),
        })
    }

    pub(super) async fn verify(&self, call: &Question) -> Result<Answered<Verdict>, CallFailed> {
        self.node.verify(call).await
    }

    /// The call's outcome in a word: the verdict or the code.
    pub(super) async fn told(&self, call: &Question) -> String {
        match self.verify(call).await {
            Ok(verified) => verified.value.to_string(),
            Err(failed) => failed
                .code()
                .map_or_else(|| failed.to_string(), |code| code.to_string()),
        }
    }
}

/// What the bank asks in the ordinary case; the story changes single fields.
pub(super) fn asked(which: Which, grant: &str) -> Asked {
    Asked {
        grant: Some(
            grant
                .parse()
                .expect("the story's grant ids are well-formed"),
        ),
        product: which.reference().id,
        version: None,
        purpose: cast::PURPOSE.to_owned(),
        scenario: cast::SCENARIO.to_owned(),
        end_user: cast::END_USER.to_owned(),
        environment: Environment::Prod,
    }
}

/// "Aircraft `tail` was built by `manufacturer` as `model` in `year`."
pub(super) fn plane(
    tail: &str,
    manufacturer: &str,
    model: &str,
    year: i64,
) -> Vec<(String, ClaimValue)> {
    vec![
        ("tail_number".to_owned(), ClaimValue::Text(tail.to_owned())),
        (
            "manufacturer".to_owned(),
            ClaimValue::Text(manufacturer.to_owned()),
        ),
        ("model".to_owned(), ClaimValue::Text(model.to_owned())),
        ("year".to_owned(), ClaimValue::Integer(year)),
    ]
}

/// "On 1 January 2013 aircraft `tail` flew UA 1545 from EWR to `destination`."
pub(super) fn flight(tail: &str, destination: &str) -> Vec<(String, ClaimValue)> {
    let text = |field: &str, value: &str| (field.to_owned(), ClaimValue::Text(value.to_owned()));
    let number = |field: &str, value| (field.to_owned(), ClaimValue::Integer(value));
    vec![
        number("year", 2013),
        number("month", 1),
        number("day", 1),
        text("carrier", "UA"),
        number("flight", 1545),
        text("origin", "EWR"),
        text("tail_number", tail),
        text("destination", destination),
    ]
}
