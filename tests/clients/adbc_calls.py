"""ADBC's Flight SQL driver: statements, parameters, refusals, metadata, receipts."""

import adbc_driver_manager
import pyarrow

from adbc_connection import connect
from setting import refused, report, same, setting

ERRORS = (adbc_driver_manager.Error,)


def fetch(connection, statement, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetch_arrow_table()


def calls(given, connection):
    """Answers, each with the receipt in the schema's metadata."""
    receipts = []
    wrong = [*given.arguments[:-1], given.arguments[-1] + 1]
    for what, statement, parameters, verdict in [
        ("a literal call", given.statement(*given.arguments), None, "MATCH"),
        ("another literal call", given.statement(*wrong), None, "NO_MATCH"),
        ("bound parameters", given.placeholders(), given.arguments, "MATCH"),
        ("other bound parameters", given.placeholders(), wrong, "NO_MATCH"),
        (
            "numbered placeholders",
            f"SELECT * FROM {given.product}($1, $2, $3, $4)",
            given.arguments,
            "MATCH",
        ),
    ]:
        table = fetch(connection, statement, parameters)
        same(what, table.column("verdict").to_pylist(), [verdict])
        zh = {"MATCH": "一致", "NO_MATCH": "不一致"}[verdict]
        same(what, table.column("verdict_zh").to_pylist(), [zh])
        metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        for key in ("as_of", "audit_level", "call_id", "loads", "opening_key", "receipt", "tlog_proof"):
            assert f"lingqu.{key}" in metadata, f"{what}: no {key} in {sorted(metadata)}"
        receipts.append(metadata)
    return receipts


def prepared_again(given, connection):
    """One cursor, one statement, many bindings: each is a call."""
    verdicts = []
    with connection.cursor() as cursor:
        for year in (2004, 2005, 2004):
            cursor.execute(given.placeholders(), [*given.arguments[:-1], year])
            verdicts.append(cursor.fetchone()[0])
    same("bound again", verdicts, ["MATCH", "NO_MATCH", "MATCH"])


def refusals(given, connection):
    """The code is the first word; the details name it too. None of this is a call that is charged."""
    arguments = given.arguments
    for what, code, statement, parameters in [
        ("too few parameters", "PARAMETER_INVALID", given.placeholders(), arguments[:-1]),
        ("too many parameters", "PARAMETER_INVALID", given.placeholders(), [*arguments, 1]),
        ("too few placeholders", "PARAMETER_INVALID", given.placeholders(3), arguments[:-1]),
        ("nothing bound", "PARAMETER_INVALID", given.placeholders(), None),
        ("a null", "PARAMETER_INVALID", given.placeholders(), [None, *arguments[1:]]),
        ("a float", "PARAMETER_INVALID", given.placeholders(), [*arguments[:-1], 2004.0]),
        ("another form", "SQL_FORM_UNSUPPORTED", "SELECT 1", None),
        ("two statements", "SQL_FORM_UNSUPPORTED", given.statement(*arguments) + "; SELECT 1", None),
        ("a write", "SQL_FORM_UNSUPPORTED", f"DELETE FROM {given.product}", None),
        ("a filter", "SQL_FORM_UNSUPPORTED", given.statement(*arguments) + " WHERE true", None),
        ("another product of the unit", "PRODUCT_", "SELECT * FROM tb.does_not_exist(1)", None),
        ("another unit", "PRODUCT_", "SELECT * FROM nobody.plane_registered(1)", None),
    ]:
        refused(what, code, ERRORS, lambda: fetch(connection, statement, parameters))
    names = [str(place) for place in range(len(arguments))]
    rows = pyarrow.RecordBatch.from_pydict(dict(zip(names, [[value, value] for value in arguments])))
    refused("two rows", "PARAMETER_INVALID", ERRORS, lambda: fetch(connection, given.placeholders(), rows))
    with connection.cursor() as cursor:
        once = [tuple(arguments)]
        refused("an update", "COMMAND_UNSUPPORTED", ERRORS, lambda: cursor.executemany(given.placeholders(), once))
    for what, code, changed in [
        ("another purpose", "PURPOSE_MISMATCH", {"lingqu_purpose": "MARKETING"}),
        ("no purpose", "PURPOSE_MISMATCH", {"lingqu_purpose": None}),
        ("free text as purpose", "REQUEST_INVALID", {"lingqu_purpose": "just curious"}),
        ("another grant", "GRANT_UNKNOWN", {"lingqu_grant": "grant_other"}),
        ("no end user", "END_USER_MISSING", {"lingqu_end_user": None}),
        ("another environment", "ENV_MISMATCH", {"lingqu_environment": "TEST"}),
        ("no environment", "REQUEST_INVALID", {"lingqu_environment": None}),
        ("a header that nobody knows", "REQUEST_INVALID", {"lingqu_sudo": "1"}),
    ]:
        with connect(given, "bank", **changed) as other:
            error = refused(what, code, ERRORS, lambda: fetch(other, given.statement(*arguments)))
            details = {key: value for key, value in error.details}
            assert any(code.encode() in value for value in details.values()), f"{what}: {details}"


def strangers(given):
    """A party without a grant sees nothing, and its calls are refused."""
    with connect(given, "broker") as connection:
        refused(
            "a party without the grant",
            "GRANT_",
            ERRORS,
            lambda: fetch(connection, given.statement(*given.arguments)),
        )
        same("its products", fetch(connection, "SELECT * FROM lingqu.products").num_rows, 0)
        same("its receipts", fetch(connection, "SELECT * FROM lingqu.receipts").num_rows, 0)
        schemas = connection.adbc_get_objects(depth="db_schemas").read_all().to_pylist()
        names = [s["db_schema_name"] for c in schemas for s in c["catalog_db_schemas"]]
        same("its schemas", names, ["lingqu"])


def metadata(given, connection):
    """Tools that look before they ask."""
    unit, product = given.product.split(".")
    objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    same("catalogs", len(objects), 1)
    tables = {
        (schema["db_schema_name"], table["table_name"]): table
        for schema in objects[0]["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }
    wanted = {(unit, product), ("lingqu", "products"), ("lingqu", "receipts")}
    same("tables", set(tables), wanted)
    columns = [column["column_name"] for column in tables[unit, product]["table_columns"]]
    same("columns", columns, ["verdict", "verdict_zh"])
    schema = connection.adbc_get_table_schema(product, db_schema_filter=unit)
    same("the table's schema", schema.names, ["verdict", "verdict_zh"])
    assert "PRODUCT" in connection.adbc_get_table_types()
    same("the server's name", connection.adbc_get_info()["vendor_name"], "Lingqu")
    listed = fetch(connection, "SELECT * FROM lingqu.products").to_pylist()
    same("products", [row["product"] for row in listed], [given.product])
    same("grants", listed[0]["grants"], [given.headers["lingqu-grant"]])
    with connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema(given.statement(*given.arguments))
        same("the schema before the call", schema.names, ["verdict", "verdict_zh"])
        parameters = cursor.adbc_prepare(given.placeholders())
        names = ["tail_number", "manufacturer", "model", "year"]
        same("the parameters", parameters.names, names)


def own_receipts(connection, metadata):
    """`lingqu.receipts` has the same proofs."""
    rows = {row["call_id"]: row for row in fetch(connection, "SELECT * FROM lingqu.receipts").to_pylist()}
    for one in metadata:
        row = rows[one["lingqu.call_id"]]
        same("outcome", row["outcome"], "ANSWERED")
        assert "\n" in row["tlog_proof"]


def retry(given):
    """With an id of one's own the answer comes again, and is charged once."""
    call_id = "call_0123456789abcdef0123456789abcdef"
    with connect(given, "bank", lingqu_call_id=call_id) as connection:
        first = fetch(connection, given.statement(*given.arguments))
        again = fetch(connection, given.statement(*given.arguments))
        same("the same call", again.to_pylist(), first.to_pylist())
        key = b"lingqu.opening_key"
        same("the same record", again.schema.metadata[key], first.schema.metadata[key])
        other = [*given.arguments[:-1], 1999]
        refused("another request", "CALL_ID_REUSED", ERRORS, lambda: fetch(connection, given.statement(*other)))
    return call_id


def main():
    given = setting()
    with connect(given, "bank") as connection:
        receipts = calls(given, connection)
        prepared_again(given, connection)
        own_receipts(connection, receipts)
        metadata(given, connection)
        refusals(given, connection)
    call_id = retry(given)
    strangers(given)
    # Five calls, three bindings of one statement, one call that was asked for twice.
    report(receipts=receipts, charged=9, retried=call_id)


main()
