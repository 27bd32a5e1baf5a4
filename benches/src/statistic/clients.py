"""The Python side: one command a line on stdin, one line of JSON a command on stdout.

    answer SIDE NUMBER          [airline, flights] of one question, by airline
    round SIDE SECONDS CALLS    asks for that long and at least so often, timed around the call and its answer
    versions                    what runs here

Sides are `node` (Flight SQL with ADBC), `roapi-flight` (the same) and `roapi-http` (one connection, kept alive).
"""

import http.client
import json
import sys
from importlib.metadata import version
from time import monotonic, perf_counter, sleep

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions

PATIENCE_S = 30

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def node():
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: read(given["ca"]),
        DatabaseOptions.MTLS_CERT_CHAIN.value: read(given["cert"]),
        DatabaseOptions.MTLS_PRIVATE_KEY.value: read(given["key"]),
    }
    for name, value in given["headers"].items():
        options[DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + name] = value
    uri = given["node"].replace("https://", "grpc+tls://")
    return flightsql.connect(uri, db_kwargs=options, autocommit=True)


def by_flight(connection, statements):
    def ask(number):
        with connection.cursor() as cursor:
            cursor.execute(statements[number % len(statements)])
            return cursor.fetch_arrow_table()

    return ask


def by_http(address, statements):
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)

    def ask(number):
        connection.request("POST", "/api/sql", statements[number % len(statements)])
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"roapi answers {response.status}")
        return json.loads(body)

    return ask


def started(ask):
    """Asks until it is answered: roapi takes a moment to read its files."""
    until = monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except (OSError, http.client.HTTPException, flightsql.Error):
            if monotonic() > until:
                raise
            sleep(0.05)


def connected():
    plain = given["plain"]
    asks = {"node": by_flight(node(), given["governed"])}
    asks["node"](0)
    started(lambda: by_http(given["roapi_http"], plain)(0))
    asks["roapi-http"] = by_http(given["roapi_http"], plain)
    uri = "grpc://" + given["roapi_flight"]
    started(lambda: by_flight(flightsql.connect(uri, autocommit=True), plain)(0))
    asks["roapi-flight"] = by_flight(flightsql.connect(uri, autocommit=True), plain)
    return asks


def answer(ask, number):
    rows = ask(number)
    rows = rows if isinstance(rows, list) else rows.to_pylist()
    return sorted([row["name"], row["flights"]] for row in rows if row["flights"] is not None)


def measure(ask, seconds, calls_min):
    times, begin = [], perf_counter()
    before = begin
    while before - begin < seconds or len(times) < calls_min:
        ask(len(times))
        now = perf_counter()
        times.append((now - before) * 1e6)
        before = now
    return {"latencies_us": times, "elapsed_s": before - begin}


def main():
    asks = connected()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "answer":
            result = answer(asks[arguments[0]], int(arguments[1]))
        elif command == "round":
            result = measure(asks[arguments[0]], float(arguments[1]), int(arguments[2]))
        else:
            packages = ["roapi", "adbc-driver-flightsql", "pyarrow"]
            named = [f"{package} {version(package)}" for package in packages]
            result = ", ".join([*named, f"Python {sys.version.split()[0]}"])
        print(json.dumps(result), flush=True)


main()
