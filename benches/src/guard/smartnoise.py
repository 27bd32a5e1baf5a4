"""Answers one statistic with smartnoise-sql for each line of standard input; prints groups and seconds."""

import sys
import time
import warnings

import pandas
from snsql import Privacy, from_connection

warnings.simplefilter("ignore")
TABLE = {
    "max_ids": 12,
    "censor_dims": False,
    "person": {"type": "string", "private_id": True},
    "region": {"type": "string"},
    "base": {"type": "int", "lower": 0, "upper": 30_000},
}
SQL = (
    "SELECT region, COUNT(*) AS entries, SUM(base) AS total, AVG(base) AS average "
    "FROM s.employment GROUP BY region"
)
rows = pandas.read_parquet(sys.argv[1])
reader = from_connection(
    rows, privacy=Privacy(epsilon=1.0, delta=1e-6), metadata={"": {"s": {"employment": TABLE}}}
)
for _ in sys.stdin:
    begin = time.perf_counter()
    answer = reader.execute(SQL)
    print(len(answer) - 1, time.perf_counter() - begin, flush=True)
