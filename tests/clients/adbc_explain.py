"""`EXPLAIN` through ADBC's Flight SQL driver: what a call would answer, without making it."""

import adbc_driver_manager

from adbc_connection import connect
from setting import refused, report, same, setting

ERRORS = (adbc_driver_manager.Error,)


def fetch(connection, statement, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetch_arrow_table()


def main():
    given = setting()
    with connect(given, "bank") as connection:
        literal = fetch(connection, "EXPLAIN " + given.statement(*given.arguments))
        same("the columns", literal.schema.names, ["topic", "en", "zh"])
        bound = fetch(connection, "explain " + given.placeholders(), given.arguments)
        same("bound parameters", bound.to_pylist(), literal.to_pylist())
        assert b"lingqu.receipt" in literal.schema.metadata
        with connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema("EXPLAIN " + given.statement(*given.arguments))
            same("the schema before", schema.names, ["topic", "en", "zh"])
        for what, statement in [
            ("analyze", "EXPLAIN ANALYZE " + given.statement(*given.arguments)),
            ("verbose", "EXPLAIN VERBOSE " + given.statement(*given.arguments)),
            ("a format", "EXPLAIN FORMAT JSON " + given.statement(*given.arguments)),
            ("describe", "DESCRIBE " + given.statement(*given.arguments)),
            ("a table of one's own", "EXPLAIN SELECT * FROM lingqu.products"),
            ("twice", "EXPLAIN EXPLAIN " + given.statement(*given.arguments)),
            ("another query", "EXPLAIN SELECT * FROM flights"),
        ]:
            refused(what, "SQL_FORM_UNSUPPORTED", ERRORS, lambda: fetch(connection, statement))
        wrong = [*given.arguments[:-1], 13]
        refused("outside", "PARAMETER_INVALID", ERRORS, lambda: fetch(connection, given_explained(given, wrong)))
    with connect(given, "broker") as connection:
        refused("a stranger", "GRANT_", ERRORS, lambda: fetch(connection, given_explained(given, given.arguments)))
    report(told=[[row["topic"], row["en"]] for row in literal.to_pylist()])


def given_explained(given, arguments):
    return "EXPLAIN " + given.statement(*arguments)


main()
