"""Reads a file with DuckDB once for each line of standard input; prints rows and seconds, to the last Arrow batch."""

import sys
import time
import warnings

import duckdb

warnings.simplefilter("ignore")
CSV = (
    "read_csv(?, header = true, columns = {'id': 'BIGINT', 'code': 'VARCHAR', 'name': 'VARCHAR', "
    "'amount': 'DECIMAL(18,2)', 'born': 'DATE', 'score': 'DOUBLE'})"
)
source = CSV if sys.argv[1] == "csv" else "read_parquet(?)"
connection = duckdb.connect()
for _ in sys.stdin:
    begin = time.perf_counter()
    relation = connection.sql(f"SELECT * FROM {source}", params=[sys.argv[2]])
    rows = sum(batch.num_rows for batch in relation.to_arrow_reader(65_536))
    print(rows, time.perf_counter() - begin, flush=True)
