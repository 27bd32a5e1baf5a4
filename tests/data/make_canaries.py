"""Makes the registers of the canary test: `planes` with made-up values that must appear in no output.

Run with pyarrow 24 or later: `python3 tests/data/make_canaries.py`. Each value also stands in `tests/canaries.txt`.
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
TAIL, OTHER_TAIL = "N83QZXJ", "N47WVKY"
MAKER, MODEL = "KESTRELWRIGHT AEROWERKE", "ZQ-4417XJ"
MISTYPED = "MCMXCIX-QJWZ"


def write(name, tails, years):
    count = len(tails)
    table = pa.table(
        {
            "tailnum": pa.array(tails, pa.string()),
            "year": years,
            "manufacturer": pa.array([MAKER] * count, pa.string()),
            "model": pa.array([MODEL] * count, pa.string()),
        }
    )
    pq.write_table(table, HERE / name, compression="none")


# One that opens, one with more rows under one key than a node allows, one whose year is no number.
write("canaries.parquet", [TAIL, OTHER_TAIL], pa.array([1999, 2001], pa.int16()))
write("canaries_crowded.parquet", [TAIL] * 40, pa.array(range(1960, 2000), pa.int16()))
write("canaries_mistyped.parquet", [TAIL], pa.array([MISTYPED], pa.string()))
