"""Random tables through `acro` (PyPI, MIT), the checker that research centres use: which of their cells it would release.

    make_cells.py DIRECTORY [--check]

Writes `cells.txt` there; with `--check` only compares what it would write with what is there. Each line is one
cell: the terms, what kind of table it is from, what each contributor has, and acro's outcome. The guard's test in
`src/tally/tests/acro.rs` reads the file and judges the same cells.
"""

import itertools
import logging
import pathlib
import random
import sys
import warnings

import pandas
from acro import ACRO

# Fewest contributors, largest share of the largest one in percent, p in percent.
TERMS = [(10, 50, 10), (10, 20, 10), (12, 75, 30), (10, 90, 60), (15, 35, 20), (10, 60, 5), (10, 85, 90)]
SHORT = {"MinimumThresholdCheck": "threshold", "NKCheck": "nk", "PPercentCheck": "p"}
HEADER = """# Cells of random tables: terms (fewest contributors, largest share and p in percent) | kind of table | what they have,
# each value as often as it stands after `*` | what acro finds. Made by `cargo xtask acro`; `--check` compares.
"""


def contributions(draw, shape):
    """What the contributors of one cell have: whole positive numbers, as wages or turnovers are."""
    count = draw.choice([1, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 30])
    if shape == "even":
        return [draw.randint(90, 110) for _ in range(count)]
    if shape == "tail":
        return [max(1, round(draw.paretovariate(0.7))) for _ in range(count)]
    if shape == "giant":
        small = [draw.randint(1, 9) for _ in range(count)]
        return small + [max(1, round(sum(small) * draw.uniform(0.2, 12)))]
    if shape == "two giants":
        small = [draw.randint(1, 9) for _ in range(count)]
        first = max(1, round(sum(small) * draw.uniform(0.5, 12)))
        return small + [first, max(1, round(first * draw.uniform(0.3, 1)))]
    raise AssertionError(shape)


def on_the_edge(share):
    """The largest has exactly the allowed share, where that is a whole number of forty."""
    others = 40 * (100 - share) // share
    return [40] + [1] * others if others * share == 40 * (100 - share) else None


def tables():
    """Terms, kind and cells of each table."""
    draw = random.Random(2026)
    for terms, shape in itertools.product(TERMS, ["even", "tail", "giant", "two giants"]):
        for _ in range(2):
            yield terms, "plain", [contributions(draw, shape) for _ in range(12)]
    for terms in TERMS:
        # Values of nobody: acro counts the rows.
        with_zeros = [contributions(draw, "even")[:9] + [0] * draw.randint(1, 30) for _ in range(6)]
        yield terms, "zeros", with_zeros
        edge = on_the_edge(terms[1])
        if edge:
            yield terms, "edge", [edge]
        debts = [[-value for value in contributions(draw, "tail")] + contributions(draw, "even") for _ in range(4)]
        yield terms, "negative", debts


def outcomes(session, cells):
    """What acro finds of each cell of one table."""
    rows = [(f"r{at:02}", "all", value) for at, cell in enumerate(cells) for value in cell]
    frame = pandas.DataFrame(rows, columns=["row", "column", "value"])
    session.crosstab(frame["row"], frame["column"], values=frame["value"], aggfunc="sum")
    output = session.results.get_index(len(session.results.results) - 1)
    found = {at: [] for at in range(len(cells))}
    for check, places in output.sdc["cells"].items():
        for row, _ in places:
            if check in SHORT:
                found[row].append(SHORT[check])
    negative = "negative" in " ".join(output.summary) if isinstance(output.summary, list) else "negative" in output.summary
    return [(" ".join(sorted(found[at])) or "ok") if not negative else "undefined" for at in range(len(cells))]


def written(cell):
    ascending = itertools.groupby(sorted(cell))
    return " ".join(f"{value}*{len(list(same))}" for value, same in ascending)


def made():
    session = ACRO(suppress=False)
    lines = []
    for (least, share, p), kind, cells in tables():
        session.config.update(safe_threshold=least, safe_nk_n=1, safe_nk_k=share / 100, safe_pratio_p=p / 100)
        for cell, outcome in zip(cells, outcomes(session, cells)):
            lines.append(f"{least} {share} {p} | {kind} | {written(cell)} | {outcome}\n")
    return HEADER + "".join(lines)


def main():
    logging.disable(logging.ERROR)
    warnings.filterwarnings("ignore")
    directory, *flags = sys.argv[1:]
    path = pathlib.Path(directory) / "cells.txt"
    text = made()
    if flags == ["--check"]:
        if path.read_text(encoding="utf-8") != text:
            sys.exit("cells.txt is not what acro finds")
        return
    path.write_text(text, encoding="utf-8")


main()
