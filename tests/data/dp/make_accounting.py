"""Writes what PyPI `dp-accounting` says of budgets in zero-concentrated DP: `accounting.csv` beside this file.

Run by `cargo xtask accounting`, which makes the virtual environment of requirements.txt first.

    make_accounting.py DIR          writes DIR/accounting.csv
    make_accounting.py DIR --check  compares it with what the library says now

Each row is a composition of answers of equal ρ, since that is how a budget is spent: the accountant composes them one
by one and says the ε of the whole at each δ.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import dp_accounting
from dp_accounting import rdp

# α of the accountant's grid, dense enough that its least is within a thousandth of the least over all α.
ORDERS = [1 + 10 ** (step / 400 - 4) for step in range(4001)]
# ρ of one answer, and number of answers.
SPENT = [
    (0.000001, 1),
    (0.0005, 1),
    (0.0005, 20),
    (0.00125, 13),
    (0.00125, 728),
    (0.005, 1),
    (0.005, 100),
    (0.05, 1),
    (0.05, 5),
    (0.05, 18),
    (0.5, 1),
    (0.5, 2),
    (0.91, 1),
    (3.0, 1),
    (10.0, 1),
]
DELTAS = [1e-12, 1e-9, 1e-6, 1e-5, 0.01]


def table():
    lines = [
        f"# dp-accounting {version('dp-accounting')}",
        "rho,delta,epsilon",
    ]
    for rho, answers in SPENT:
        accountant = rdp.RdpAccountant(ORDERS)
        for _ in range(answers):
            accountant.compose(dp_accounting.ZCDpEvent(rho))
        for delta in DELTAS:
            epsilon = accountant.get_epsilon(delta)
            lines.append(f"{rho * answers!r},{delta!r},{float(epsilon)!r}")
    return "\n".join(lines) + "\n"


def main():
    path = Path(sys.argv[1]) / "accounting.csv"
    made = table()
    if "--check" not in sys.argv[2:]:
        path.write_text(made)
        return
    if path.read_text() != made:
        sys.exit("accounting.csv is not what dp-accounting says")


main()
