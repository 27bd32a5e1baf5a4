//! The ways into a node beside our own gRPC service: Flight, JSON over HTTPS, reflection. Each has a row here, and a path
//! without a row stays shut.
//!
//! This is the first gate, as `lingqu_proto::access` is for our own RPCs; the table in `docs/access.md` is made from
//! both.

use lingqu_core::ErrorCode;
use lingqu_proto::access::Kind;

macro_rules! ways {
    ($($(#[$doc:meta])* $variant:ident $path:literal $outcome:literal;)*) => {
        /// One way in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Way {
            $($(#[$doc])* $variant,)*
        }

        impl Way {
            /// Every way, in alphabetical order of the paths.
            pub const ALL: &'static [Way] = &[$(Way::$variant),*];

            /// The path.
            pub const fn path(self) -> &'static str {
                match self { $(Way::$variant => $path,)* }
            }

            /// What it is for, or that it is refused.
            pub const fn outcome(self) -> &'static str {
                match self { $(Way::$variant => $outcome,)* }
            }
        }
    };
}

ways! {
    /// Prepares and closes statements.
    DoAction "/arrow.flight.protocol.FlightService/DoAction" "prepares and closes statements";
    /// Not offered.
    DoExchange "/arrow.flight.protocol.FlightService/DoExchange" "`COMMAND_UNSUPPORTED`";
    /// Spends a ticket.
    DoGet "/arrow.flight.protocol.FlightService/DoGet" "spends a ticket: the call is made, its answer leaves";
    /// Binds parameters.
    DoPut "/arrow.flight.protocol.FlightService/DoPut" "binds parameters";
    /// Gives a ticket.
    GetFlightInfo "/arrow.flight.protocol.FlightService/GetFlightInfo" "gives a ticket";
    /// Tells an answer's columns.
    GetSchema "/arrow.flight.protocol.FlightService/GetSchema" "tells an answer's columns";
    /// Not offered: identity is TLS's.
    Handshake "/arrow.flight.protocol.FlightService/Handshake" "`COMMAND_UNSUPPORTED`";
    /// Names the two actions.
    ListActions "/arrow.flight.protocol.FlightService/ListActions" "names the two actions";
    /// Not offered: products take arguments.
    ListFlights "/arrow.flight.protocol.FlightService/ListFlights" "`COMMAND_UNSUPPORTED`";
    /// Not offered.
    PollFlightInfo "/arrow.flight.protocol.FlightService/PollFlightInfo" "`COMMAND_UNSUPPORTED`";
    /// Describes the gRPC service to tools.
    Reflection "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" "describes `lingqu.v1.Calls`";
    /// The same for older tools.
    ReflectionAlpha "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" "describes `lingqu.v1.Calls`";
    /// The description of the JSON interface.
    OpenApi "/openapi.json" "GET: describes the JSON interface";
    /// Tells what a call would answer.
    Explain "/v1/explain" "POST: tells what a call would answer and cost";
    /// What the caller may use.
    Products "/v1/products" "GET: lists what the caller may use";
    /// Calls a statistic.
    Query "/v1/query" "POST: calls a statistic";
    /// Calls a model.
    Score "/v1/score" "POST: calls a model";
    /// Calls a verification.
    Verify "/v1/verify" "POST: calls a verification";
}

impl Way {
    /// The way at this path, if it is one.
    pub fn at(path: &str) -> Option<Way> {
        Way::ALL.iter().copied().find(|way| way.path() == path)
    }

    /// Whether a caller of this kind may use it. All of them are for parties: behind them the grant decides.
    ///
    /// # Errors
    /// `CALLER_ROLE_FORBIDDEN`.
    pub fn admits(self, kind: Kind) -> Result<(), ErrorCode> {
        match kind {
            Kind::Party => Ok(()),
            Kind::Coordinator | Kind::Node => Err(ErrorCode::CallerRoleForbidden),
        }
    }
}

/// The table as Markdown.
pub fn table() -> String {
    let mut table = String::from("| path at a node | caller | outcome |\n|---|---|---|\n");
    for way in Way::ALL {
        table.push_str(&format!(
            "| `{}` | party | {} |\n",
            way.path(),
            way.outcome()
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_sorted_and_found_by_their_exact_path() {
        assert!(Way::ALL.is_sorted_by_key(|way| way.path()));
        for way in Way::ALL {
            assert_eq!(Way::at(way.path()), Some(*way));
            for other in [
                format!("{}/", way.path()),
                way.path().to_uppercase(),
                format!("/{}", way.path()),
                way.path()[1..].to_owned(),
            ] {
                assert_eq!(Way::at(&other), None, "{other}");
            }
        }
    }

    #[test]
    fn only_parties_come_in() {
        for way in Way::ALL {
            assert_eq!(way.admits(Kind::Party), Ok(()));
            for kind in [Kind::Node, Kind::Coordinator] {
                assert_eq!(way.admits(kind), Err(ErrorCode::CallerRoleForbidden));
            }
        }
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
}
