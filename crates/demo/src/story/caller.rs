//! A caller of the story: what it asks, and what it is told, in a word.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use lingqu_client::{Answered, CallFailed, Node, Question};
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::product::ProductKind;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_proto::{ClaimValue, Verdict};
use lingqu_tlog::Intl;

use crate::cast::{self, Party, Unit};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::Which;

/// A party's connection to one node.
pub(super) struct Caller {
    node: Node,
}

/// An answer as the story tells it.
pub(super) struct Told {
    /// The verdict, the class, or how many rows.
    pub(super) word: String,
    /// How far its record is secured.
    pub(super) level: Level,
    /// A statistic's rows.
    pub(super) rows: Option<RecordBatch>,
}

impl Told {
    /// The word, and how far its record is secured.
    pub(super) fn secured(&self) -> String {
        format!("{}, {}", self.word, level(self.level))
    }
}

impl Caller {
    pub(super) async fn connect(
        network: &Network,
        unit: Unit,
        party: Party,
        trust: &Trust<Intl>,
    ) -> Result<Caller, NetworkFailed> {
        let identity = network.identity(party)?;
        let channel = network.dial_node_of(unit, &identity).await?;
        Ok(Caller {
            node: Node::over(channel, trust.clone()),
        })
    }

    /// Verifies a claim, for whoever keeps the receipt.
    pub(super) async fn verify(&self, call: &Question) -> Result<Answered<Verdict>, CallFailed> {
        self.node.verify(call).await
    }

    /// Asks whatever the product's kind is asked by.
    pub(super) async fn ask(&self, which: Which, call: &Question) -> Result<Told, CallFailed> {
        match which.kind() {
            ProductKind::Model => {
                let answer = self.node.score(call).await?;
                let word = answer.value.value.to_string();
                Ok(told(word, answer.proven.level))
            }
            ProductKind::Statistic => {
                let answer = self.node.query(call).await?;
                let rows = rows(&answer.value.0)
                    .map_err(|_| CallFailed::Malformed("the table is unreadable".to_owned()))?;
                Ok(Told {
                    rows: Some(rows.clone()),
                    ..told(format!("{} rows", rows.num_rows()), answer.proven.level)
                })
            }
            ProductKind::Verification => {
                let answer = self.node.verify(call).await?;
                Ok(told(answer.value.to_string(), answer.proven.level))
            }
        }
    }
}

fn told(word: String, level: Level) -> Told {
    Told {
        word,
        level,
        rows: None,
    }
}

/// The released rows of a statistic.
fn rows(stream: &[u8]) -> Result<RecordBatch, NetworkFailed> {
    let mut reader = StreamReader::try_new(stream, None).during("reading a table")?;
    reader
        .next()
        .ok_or("it is empty")
        .during("reading a table")?
        .during("reading a table")
}

/// Why there is no answer, in a word: the code.
pub(super) fn refusal(failed: &CallFailed) -> String {
    failed
        .code()
        .map_or_else(|| failed.to_string(), |code| code.to_string())
}

/// How far a record is secured.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Local => "local",
        Level::Mirrored => "mirrored",
        Level::Witnessed => "witnessed",
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

/// A question to a product under a grant.
pub(super) fn question(which: Which, grant: &str, arguments: Vec<Argument>) -> Question {
    let mut question = Question::new(asked(which, grant), arguments);
    // What the unit allows to lag, the bank accepts; the receipt says which it was.
    question.lagged_accepted = matches!(which, Which::Delays | Which::Flight);
    question
}

/// A named value of a question.
pub(super) type Argument = (String, ClaimValue);

fn text(field: &str, value: &str) -> Argument {
    (field.to_owned(), ClaimValue::Text(value.to_owned()))
}

fn number(field: &str, value: i64) -> Argument {
    (field.to_owned(), ClaimValue::Integer(value))
}

/// "Aircraft `tail` was built by `manufacturer` as `model` in `year`."
pub(super) fn plane(tail: &str, manufacturer: &str, model: &str, year: i64) -> Vec<Argument> {
    vec![
        text("tail_number", tail),
        text("manufacturer", manufacturer),
        text("model", model),
        number("year", year),
    ]
}

/// "On 1 January 2013 aircraft `tail` flew UA 1545 from EWR to `destination`."
pub(super) fn flight(tail: &str, destination: &str) -> Vec<Argument> {
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

/// "Whoever has this number is called `name` and has at least `months` months of contributions in 24."
pub(super) fn months(id_no: &str, name: &str, months: i64) -> Vec<Argument> {
    vec![
        text("id_no", id_no),
        text("name", name),
        number("months", months),
    ]
}

/// Somebody, by number and name.
pub(super) fn subject(id_no: &str, name: &str) -> Vec<Argument> {
    vec![text("id_no", id_no), text("name", name)]
}

/// Insured persons of a district and of these ages.
pub(super) fn insured(region: &str, age_from: i64, age_below: i64) -> Vec<Argument> {
    vec![
        text("region", region),
        number("age_from", age_from),
        number("age_below", age_below),
    ]
}

/// Departures from an airport in a month of 2013.
pub(super) fn departures(origin: &str, month: i64) -> Vec<Argument> {
    vec![text("origin", origin), number("month", month)]
}
