"""The OpenAPI document, by a validator that knows nothing of us; and that the node serves the committed one."""

import http.client
import json
import ssl

from openapi_spec_validator import OpenAPIV31SpecValidator

from setting import read, report, same, setting


def main():
    given = setting()
    committed = read(given.openapi)
    document = json.loads(committed)
    same("version", document["openapi"].split(".")[:2], ["3", "1"])
    OpenAPIV31SpecValidator(document).validate()
    context = ssl.create_default_context(cafile=given.ca)
    files = given.parties["bank"]
    context.load_cert_chain(files["cert"], files["key"])
    connection = http.client.HTTPSConnection(given.host, given.port, context=context)
    connection.request("GET", "/openapi.json")
    response = connection.getresponse()
    same("status", response.status, 200)
    same("the served document", response.read().decode(), committed)
    report(paths=sorted(document["paths"]))


main()
