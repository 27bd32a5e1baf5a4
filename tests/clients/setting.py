"""What the scripts share: the network that a test started, and checks that say what they wanted."""

import json
import sys


class Setting:
    """The file that the test wrote: where the node is, who calls, and what a good call looks like."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
        self.url = values["url"]
        self.host, port = self.url.removeprefix("https://").rsplit(":", 1)
        self.port = int(port)
        self.ca = values["ca"]
        self.parties = values["parties"]
        self.headers = values["headers"]
        self.product = values["product"]
        self.arguments = values["arguments"]
        self.openapi = values["openapi"]
        # Where statistics are asked: their products, and the directory for the tables that they answer.
        self.products = values.get("products", [])
        self.answers = values.get("answers")

    def pem(self, party):
        """Certificate chain and key of a party, as text."""
        files = self.parties[party]
        return read(files["cert"]), read(files["key"])

    def ca_pem(self):
        return read(self.ca)

    def statement(self, *arguments):
        """A call with these arguments written into the text."""
        return f"SELECT * FROM {self.product}({', '.join(map(literal, arguments))})"

    def placeholders(self, count=None):
        """The same call with placeholders."""
        count = len(self.arguments) if count is None else count
        return f"SELECT * FROM {self.product}({', '.join('?' * count)})"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def literal(value):
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def setting():
    return Setting(sys.argv[1])


def same(what, got, wanted):
    """Checks by value; the message says both."""
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def refused(what, code, error_types, attempt):
    """Runs `attempt`, which must fail with `code` in front of the message; gives the error."""
    try:
        got = attempt()
    except error_types as error:
        if code not in str(error):
            raise AssertionError(f"{what}: refused, but not with {code}: {error}") from error
        return error
    raise AssertionError(f"{what}: not refused but answered {got!r}")


def report(**found):
    """What the test checks further, as the one line of standard output."""
    json.dump(found, sys.stdout)
    print()
