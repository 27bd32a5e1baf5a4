"""A connection of ADBC's Flight SQL driver to the node, as a party."""

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions


def connect(given, party, **changed):
    cert, key = given.pem(party)
    headers = {**given.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: given.ca_pem(),
        DatabaseOptions.MTLS_CERT_CHAIN.value: cert,
        DatabaseOptions.MTLS_PRIVATE_KEY.value: key,
    }
    for name, value in headers.items():
        if value is not None:
            options[DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + name] = value
    uri = given.url.replace("https://", "grpc+tls://")
    return flightsql.connect(uri, db_kwargs=options, autocommit=True)
