"""One line of pandas, one line of polars."""

import pandas
import polars

from adbc_connection import connect
from setting import report, same, setting


def main():
    given = setting()
    statement = given.statement(*given.arguments)
    with connect(given, "bank") as connection:
        frame = pandas.read_sql(statement, connection)
        same("pandas", frame["verdict"].to_list(), ["MATCH"])
        frame = polars.read_database(statement, connection=connection)
        same("polars", frame["verdict_zh"].to_list(), ["一致"])
        frame = polars.read_database(
            given.placeholders(), connection=connection, execute_options={"parameters": given.arguments}
        )
        same("polars with parameters", frame["verdict"].to_list(), ["MATCH"])
    report(charged=3)


main()
