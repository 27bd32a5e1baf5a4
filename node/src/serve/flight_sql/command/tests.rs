use arrow_flight::sql::*;

use super::*;

/// Every place, in alphabetical order of the RPCs.
const PLACES: [Place; 4] = [Place::Action, Place::Put, Place::Info, Place::Schema];

fn rpc(place: Place) -> &'static str {
    match place {
        Place::Action => "DoAction",
        Place::Info => "GetFlightInfo",
        Place::Put => "DoPut",
        Place::Schema => "GetSchema",
    }
}

/// Every command with nothing in it. A command that a newer version adds does not get into this list by itself, but
/// `decided` does not compile without it.
fn commands() -> Vec<Command> {
    vec![
        Command::ActionBeginSavepointRequest(Default::default()),
        Command::ActionBeginSavepointResult(Default::default()),
        Command::ActionBeginTransactionRequest(Default::default()),
        Command::ActionBeginTransactionResult(Default::default()),
        Command::ActionCancelQueryRequest(Default::default()),
        Command::ActionCancelQueryResult(Default::default()),
        Command::ActionClosePreparedStatementRequest(Default::default()),
        Command::ActionCreatePreparedStatementRequest(Default::default()),
        Command::ActionCreatePreparedStatementResult(Default::default()),
        Command::ActionCreatePreparedSubstraitPlanRequest(Default::default()),
        Command::ActionEndSavepointRequest(Default::default()),
        Command::ActionEndTransactionRequest(Default::default()),
        Command::CommandGetCatalogs(Default::default()),
        Command::CommandGetCrossReference(Default::default()),
        Command::CommandGetDbSchemas(Default::default()),
        Command::CommandGetExportedKeys(Default::default()),
        Command::CommandGetImportedKeys(Default::default()),
        Command::CommandGetPrimaryKeys(Default::default()),
        Command::CommandGetSqlInfo(Default::default()),
        Command::CommandGetTableTypes(Default::default()),
        Command::CommandGetTables(Default::default()),
        Command::CommandGetXdbcTypeInfo(Default::default()),
        Command::CommandPreparedStatementQuery(Default::default()),
        Command::CommandPreparedStatementUpdate(Default::default()),
        Command::CommandStatementIngest(Default::default()),
        Command::CommandStatementQuery(Default::default()),
        Command::CommandStatementSubstraitPlan(Default::default()),
        Command::CommandStatementUpdate(Default::default()),
        Command::DoPutPreparedStatementResult(Default::default()),
        Command::DoPutUpdateResult(Default::default()),
        Command::TicketStatementQuery(Default::default()),
    ]
}

fn name(command: &Command) -> String {
    let url = command.type_url();
    url.rsplit('.').next().unwrap().to_owned()
}

/// Where each command is offered, written down by hand: the match is compared with this, not with itself.
fn expected(name: &str) -> &'static [Place] {
    use Place::{Action, Info, Put, Schema};
    match name {
        "ActionClosePreparedStatementRequest" | "ActionCreatePreparedStatementRequest" => &[Action],
        "CommandPreparedStatementQuery" => &[Put, Info, Schema],
        "CommandStatementQuery"
        | "CommandGetCatalogs"
        | "CommandGetCrossReference"
        | "CommandGetDbSchemas"
        | "CommandGetExportedKeys"
        | "CommandGetImportedKeys"
        | "CommandGetPrimaryKeys"
        | "CommandGetSqlInfo"
        | "CommandGetTableTypes"
        | "CommandGetTables"
        | "CommandGetXdbcTypeInfo" => &[Info, Schema],
        _ => &[],
    }
}

#[test]
fn each_command_is_offered_where_it_should_be() {
    for command in commands() {
        let name = name(&command);
        for place in PLACES {
            let offered = decided(command.clone(), place).is_some();
            assert_eq!(
                offered,
                expected(&name).contains(&place),
                "{name} at {}",
                rpc(place)
            );
        }
    }
}

#[test]
fn nothing_belongs_to_a_transaction() {
    let transaction_id = Some(Bytes::from_static(b"x"));
    let statement = CommandStatementQuery {
        query: "SELECT * FROM a.b(1)".to_owned(),
        transaction_id: transaction_id.clone(),
    };
    let prepare = ActionCreatePreparedStatementRequest {
        query: "SELECT * FROM a.b(1)".to_owned(),
        transaction_id,
    };
    assert_eq!(
        decided(Command::CommandStatementQuery(statement), Place::Info),
        None
    );
    let prepare = Command::ActionCreatePreparedStatementRequest(prepare);
    assert_eq!(decided(prepare, Place::Action), None);
}

#[test]
fn what_is_no_command_is_refused() {
    let unknown = |type_url: &str| {
        let any = Any {
            type_url: type_url.to_owned(),
            value: Bytes::new(),
        };
        any.encode_to_vec()
    };
    let of_sql = "type.googleapis.com/arrow.flight.protocol.sql.";
    for place in PLACES {
        for bytes in [
            unknown(""),
            unknown("type.googleapis.com/lingqu.v1.VerifyRequest"),
            unknown(&format!("{of_sql}commandgetcatalogs")),
            unknown(&format!("{of_sql}CommandGetCatalogs ")),
            unknown("arrow.flight.protocol.sql.CommandGetCatalogs"),
            Vec::new(),
        ] {
            assert_eq!(read(&bytes, place), Err(ErrorCode::CommandUnsupported));
        }
        let truncated = Any {
            type_url: format!("{of_sql}CommandStatementQuery"),
            value: Bytes::from_static(&[0x0a, 0xff]),
        };
        for bytes in [
            vec![0xff; 64],
            b"SELECT 1".to_vec(),
            truncated.encode_to_vec(),
        ] {
            assert_eq!(read(&bytes, place), Err(ErrorCode::RequestInvalid));
        }
    }
}

/// The rows of `docs/access.md`.
fn table() -> String {
    let mut table = String::from("| command | offered at |\n|---|---|\n");
    for command in commands() {
        let places: Vec<_> = PLACES
            .into_iter()
            .filter(|place| decided(command.clone(), *place).is_some())
            .map(|place| format!("`{}`", rpc(place)))
            .collect();
        let places = if places.is_empty() {
            "nowhere: `COMMAND_UNSUPPORTED`".to_owned()
        } else {
            places.join(", ")
        };
        table.push_str(&format!("| `{}` | {places} |\n", name(&command)));
    }
    table
}

#[test]
fn the_document_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/access.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = table();
    assert!(
        document.contains(&table),
        "docs/access.md must contain:\n{table}"
    );
}
