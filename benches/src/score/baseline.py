"""onnxruntime's side of the measurement: one command a line on stdin, one line of JSON a command on stdout.

    labels MODEL                the label of every row
    round MODEL BATCH SECONDS   scores batches for that long, timed around the call alone
    versions                    what runs here
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime

directory, count = Path(sys.argv[1]), int(sys.argv[2])
lines = (directory / "german_credit.csv").read_text().splitlines()[1:]
rows = np.array([[float(v) for v in line.split(",")[:7]] for line in lines], dtype=np.float32)
rows = np.tile(rows, (-(-count // len(rows)), 1))[:count].copy()
sessions = {}


def session(name):
    if name not in sessions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The tensor before ZipMap where there is one: a list of dictionaries is not what anybody measures.
        model = (directory / f"{name}.onnx").read_bytes()
        made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        sessions[name] = made
    return sessions[name]


def measure(name, batch, seconds):
    one = session(name)
    feeds = [{"X": rows[at : at + batch]} for at in range(0, len(rows) - batch + 1, batch)]
    times, at, begin = [], 0, perf_counter()
    before = begin
    while True:
        one.run(None, feeds[at])
        now = perf_counter()
        times.append(now - before)
        before = now
        at = (at + 1) % len(feeds)
        if now - begin >= seconds:
            break
    elapsed = before - begin
    times.sort()
    rank = lambda percent: times[max(-(-len(times) * percent // 100), 1) - 1] * 1e6
    return {"rows_per_s": len(times) * batch / elapsed, "p50_us": rank(50), "p99_us": rank(99)}


for line in sys.stdin:
    command, *arguments = line.split()
    if command == "labels":
        answer = [str(label) for label in session(arguments[0]).run(None, {"X": rows})[0]]
    elif command == "round":
        answer = measure(arguments[0], int(arguments[1]), float(arguments[2]))
    else:
        answer = f"onnxruntime {onnxruntime.__version__}, Python {sys.version.split()[0]}"
    print(json.dumps(answer), flush=True)
