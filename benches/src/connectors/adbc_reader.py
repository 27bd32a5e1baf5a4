"""ADBC's PostgreSQL driver: one query a line on stdin, one line of JSON a query on stdout.

The time is taken here, around the query and the last batch, so that neither Python's start nor this protocol counts.
"""

import json
import sys
from time import perf_counter

from adbc_driver_postgresql import dbapi

with dbapi.connect(sys.argv[1]) as connection:
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        with connection.cursor() as cursor:
            begin, rows = perf_counter(), 0
            cursor.execute(line.strip())
            for batch in cursor.fetch_record_batch():
                rows += batch.num_rows
            print(json.dumps({"rows": rows, "elapsed_s": perf_counter() - begin}), flush=True)
        connection.rollback()
