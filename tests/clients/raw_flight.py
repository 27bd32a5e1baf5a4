"""pyarrow.flight without a driver: what somebody with a certificate may try against tickets and commands."""

import os

import pyarrow.flight as flight

from setting import refused, report, same, setting

ERRORS = (flight.FlightError, flight.FlightUnauthorizedError, OSError, NotImplementedError, ValueError, KeyError)


def client(given, party):
    cert, key = given.pem(party)
    return flight.FlightClient(
        given.url.replace("https://", "grpc+tls://"),
        tls_root_certs=given.ca_pem(),
        cert_chain=cert,
        private_key=key,
    )


def options(given, **changed):
    headers = {**given.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return flight.FlightCallOptions(
        headers=[(name.encode(), value.encode()) for name, value in headers.items()]
    )


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """One length-delimited field of a protobuf message."""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def command(name, body=b""):
    return field(1, f"type.googleapis.com/arrow.flight.protocol.sql.{name}") + field(2, body)


def ask(given, connection, statement, **changed):
    descriptor = flight.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, statement)))
    return connection.get_flight_info(descriptor, options(given, **changed))


def fetch(given, connection, ticket, **changed):
    return connection.do_get(ticket, options(given, **changed)).read_all()


def tickets(given, bank, broker):
    """Good once, for whom and for what it was given."""
    statement = given.statement(*given.arguments)

    info = ask(given, bank, statement)
    same("sizes", (info.total_records, info.total_bytes), (-1, -1))
    same("endpoints", [endpoint.locations for endpoint in info.endpoints], [[]])
    ticket = info.endpoints[0].ticket
    same("a good ticket", fetch(given, bank, ticket).column("verdict").to_pylist(), ["MATCH"])
    refused("a replayed ticket", "TICKET_INVALID", ERRORS, lambda: fetch(given, bank, ticket))

    stolen = ask(given, bank, statement).endpoints[0].ticket
    refused("a foreign ticket", "TICKET_INVALID", ERRORS, lambda: fetch(given, broker, stolen))
    same("which its owner still has", fetch(given, bank, stolen).num_rows, 1)

    for what, forged in [
        ("a forged ticket", os.urandom(32)),
        ("an empty ticket", b""),
        ("a long ticket", b"x" * 10_000),
        ("a command as a ticket", command("CommandGetCatalogs")),
        ("a statement as a ticket", command("CommandStatementQuery", field(1, statement))),
        ("a spent ticket and more", ticket.ticket + b"\0"),
    ]:
        refused(what, "TICKET_INVALID", ERRORS, lambda: fetch(given, bank, flight.Ticket(forged)))

    other = ask(given, bank, statement).endpoints[0].ticket
    refused(
        "another grant at the end",
        "TICKET_INVALID",
        ERRORS,
        lambda: fetch(given, bank, other, lingqu_grant="grant_other"),
    )
    same("which did not spend it", fetch(given, bank, other).num_rows, 1)
    second = client(given, "bank")
    carried = ask(given, bank, statement).endpoints[0].ticket
    same("another connection of the caller", fetch(given, second, carried).num_rows, 1)


def commands(given, bank):
    """Whatever is not offered says so, in one way."""
    unsupported = "COMMAND_UNSUPPORTED"
    for name in [
        "CommandStatementUpdate",
        "CommandStatementIngest",
        "CommandStatementSubstraitPlan",
        "CommandPreparedStatementUpdate",
        "TicketStatementQuery",
        "ActionCreatePreparedStatementRequest",
        "DoPutUpdateResult",
        "NoSuchCommand",
    ]:
        descriptor = flight.FlightDescriptor.for_command(command(name))
        refused(name, unsupported, ERRORS, lambda: bank.get_flight_info(descriptor, options(given)))
        refused(name, unsupported, ERRORS, lambda: bank.get_schema(descriptor, options(given)))
    path = flight.FlightDescriptor.for_path("tb", "plane_registered")
    refused("a path", unsupported, ERRORS, lambda: bank.get_flight_info(path, options(given)))
    refused("flights", unsupported, ERRORS, lambda: list(bank.list_flights(options=options(given))))
    for name in [
        "BeginTransaction",
        "EndTransaction",
        "BeginSavepoint",
        "EndSavepoint",
        "CancelQuery",
        "CancelFlightInfo",
        "RenewFlightEndpoint",
        "CreatePreparedSubstraitPlan",
        "SetSessionOptions",
        "GetSessionOptions",
        "CloseSession",
        "healthcheck",
    ]:
        action = flight.Action(name, command("ActionBeginTransactionRequest"))
        refused(name, unsupported, ERRORS, lambda: list(bank.do_action(action, options(given))))
    swapped = flight.Action("ClosePreparedStatement", command("ActionCreatePreparedStatementRequest", field(1, "x")))
    refused("another action's body", "REQUEST_INVALID", ERRORS, lambda: list(bank.do_action(swapped, options(given))))
    garbage = flight.FlightDescriptor.for_command(b"\xff" * 100)
    refused("garbage", "REQUEST_INVALID", ERRORS, lambda: bank.get_flight_info(garbage, options(given)))
    names = sorted(action.type for action in bank.list_actions(options(given)))
    same("actions", names, ["ClosePreparedStatement", "CreatePreparedStatement"])
    refused(
        "a password",
        unsupported,
        ERRORS,
        lambda: bank.authenticate_basic_token(b"admin", b"admin", options(given)),
    )


def exchange(given, bank):
    def talk():
        descriptor = flight.FlightDescriptor.for_command(command("CommandStatementQuery"))
        writer, reader = bank.do_exchange(descriptor, options(given))
        writer.done_writing()
        return reader.read_chunk()

    refused("an exchange", "COMMAND_UNSUPPORTED", ERRORS, talk)


def statements(given, bank, broker):
    """Prepared statements belong to whoever prepared them."""
    body = command("ActionCreatePreparedStatementRequest", field(1, given.placeholders()))
    [result] = bank.do_action(flight.Action("CreatePreparedStatement", body), options(given))
    # Any { type_url, value { handle, … } }: the handle is the first field of 32 bytes.
    raw = result.body.to_pybytes()
    start = raw.index(b"\x0a\x20") + 2
    handle = raw[start : start + 32]
    use = flight.FlightDescriptor.for_command(command("CommandPreparedStatementQuery", field(1, handle)))
    refused("unbound", "PARAMETER_INVALID", ERRORS, lambda: bank.get_flight_info(use, options(given)))
    refused("a foreign handle", "STATEMENT_UNKNOWN", ERRORS, lambda: broker.get_flight_info(use, options(given)))
    close = flight.Action("ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, handle)))
    same("closed by a stranger", list(broker.do_action(close, options(given))), [])
    refused("which changes nothing", "PARAMETER_INVALID", ERRORS, lambda: bank.get_flight_info(use, options(given)))
    same("closed", list(bank.do_action(close, options(given))), [])
    refused("which ends it", "STATEMENT_UNKNOWN", ERRORS, lambda: bank.get_flight_info(use, options(given)))


def sizes(given, bank):
    """What is too large is refused before it is read."""
    refused("2 MB of SQL", "REQUEST_INVALID", ERRORS, lambda: ask(given, bank, "x" * (2 << 20)))
    refused("long SQL", "SQL_FORM_UNSUPPORTED", ERRORS, lambda: ask(given, bank, "x" * 20_000))
    deep = "SELECT * FROM a.b(" + "(" * 7_000
    refused("deep SQL", "SQL_FORM_UNSUPPORTED", ERRORS, lambda: ask(given, bank, deep))
    refused(
        "a long header",
        "",
        ERRORS,
        lambda: ask(given, bank, given.statement(*given.arguments), lingqu_purpose="X" * 100_000),
    )


def main():
    given = setting()
    bank, broker = client(given, "bank"), client(given, "broker")
    tickets(given, bank, broker)
    commands(given, bank)
    exchange(given, bank)
    statements(given, bank, broker)
    sizes(given, bank)
    # The good one, the one that a stranger could not take, the one asked for wrongly at first, the one on another connection.
    report(charged=4)


main()
