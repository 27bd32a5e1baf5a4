"""Trains and exports the models beside this file, and writes what onnxruntime answers them.

Run by `cargo xtask models`, which makes the virtual environment of requirements.txt first.

    make_models.py DIR          writes DIR/*.onnx and DIR/*.expected.json
    make_models.py DIR --check  runs onnxruntime over the committed models and compares with the committed answers

Seeds are fixed and one thread trains, so the same versions on the same kind of processor write the same files.
"""

import json
import math
import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd

SEED = 20250301
ROWS = 60

NUMBERS = [
    "duration_months",
    "credit_amount",
    "installment_rate",
    "residence_years",
    "age_years",
    "credits_here",
    "dependants",
]
CATEGORIES = ["checking_account", "credit_history", "purpose"]


def data():
    table = pd.read_csv(Path(__file__).parent / "german_credit.csv")
    table["bad"] = (table["creditability"] == "bad").astype(int)
    # Three classes of similar size that follow from the numbers only in part.
    rate = table["credit_amount"] / table["duration_months"]
    table["rate_class"] = pd.qcut(rate, 3, labels=False)
    return table


def with_gaps(x):
    """Every eleventh value missing, for the learners that know what to do then."""
    x = x.copy()
    x.ravel()[::11] = np.nan
    return x


def models(table):
    """By name: the model, with the inputs that it takes."""
    import lightgbm
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType as XgbFloats
    from skl2onnx import convert_sklearn, to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler

    numbers, categories = list(NUMBERS), list(CATEGORIES)
    x = table[numbers].to_numpy(np.float32)
    gaps = with_gaps(x)
    bad, rate = table["bad"].to_numpy(), table["rate_class"].to_numpy()
    amount = table["credit_amount"].to_numpy(np.float32)
    without_amount = np.delete(x, numbers.index("credit_amount"), axis=1)
    labels = table["creditability"].to_numpy(str)
    inputs = [("X", XgbFloats([None, x.shape[1]]))]

    def sklearn(model, x, y, **options):
        model.fit(x, y)
        options = {id(model): {"zipmap": False, **options}} if hasattr(model, "classes_") else None
        return to_onnx(model, x[:1], options=options)

    made = {
        "forest": sklearn(RandomForestClassifier(40, max_depth=6, random_state=SEED), x, labels),
        "forest_classes": sklearn(RandomForestClassifier(20, max_depth=6, random_state=SEED), x, rate),
        "forest_value": sklearn(RandomForestRegressor(20, max_depth=6, random_state=SEED), without_amount, amount),
        "boosting": sklearn(GradientBoostingClassifier(n_estimators=40, random_state=SEED), x, bad),
        "boosting_classes": sklearn(GradientBoostingClassifier(n_estimators=20, random_state=SEED), x, rate),
        "histogram": sklearn(HistGradientBoostingClassifier(max_iter=20, random_state=SEED), gaps, bad),
        "histogram_classes": sklearn(HistGradientBoostingClassifier(max_iter=10, random_state=SEED), gaps, rate),
        "linear_value": sklearn(LinearRegression(), without_amount, amount),
    }

    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, bad)
    made["logistic"] = to_onnx(logistic, x[:1])  # with ZipMap, as exporters write it by default
    steps = make_pipeline(SimpleImputer(strategy="median"), Normalizer(), LogisticRegression(max_iter=1000)).fit(gaps, rate)
    made["normalized"] = to_onnx(steps, x[:1], options={id(steps): {"zipmap": False}})

    frame = table[numbers + categories].astype({name: np.float32 for name in numbers})
    columns = [(name, FloatTensorType([None, 1])) for name in numbers]
    columns += [(name, StringTensorType([None, 1])) for name in categories]
    whole = make_pipeline(
        ColumnTransformer([
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("c", OneHotEncoder(handle_unknown="ignore"), categories),
        ]),
        LogisticRegression(max_iter=1000),
    ).fit(frame, labels)
    made["one_hot"] = convert_sklearn(whole, initial_types=columns, options={id(whole): {"zipmap": False}})
    ordinal = make_pipeline(
        ColumnTransformer([
            ("n", "passthrough", numbers),
            ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), categories),
        ]),
        RandomForestClassifier(20, max_depth=5, random_state=SEED),
    ).fit(frame, labels)
    made["ordinal"] = convert_sklearn(ordinal, initial_types=columns, options={id(ordinal): {"zipmap": False}})
    forest = RandomForestClassifier(10, max_depth=5, random_state=SEED).fit(x.astype(np.int64), bad)
    made["whole_numbers"] = convert_sklearn(
        forest, initial_types=[("X", Int64TensorType([None, x.shape[1]]))], options={id(forest): {"zipmap": False}}
    )

    xgb = {"random_state": SEED, "n_jobs": 1}
    for name, model, x, y in [
        ("xgboost", xgboost.XGBClassifier(n_estimators=40, max_depth=4, **xgb), gaps, bad),
        ("xgboost_classes", xgboost.XGBClassifier(n_estimators=15, max_depth=4, **xgb), gaps, rate),
        ("xgboost_value", xgboost.XGBRegressor(n_estimators=30, max_depth=4, **xgb), gaps, amount),
    ]:
        made[name] = onnxmltools.convert_xgboost(model.fit(x, y), initial_types=inputs)
    lgb = {"random_state": SEED, "n_jobs": 1, "verbose": -1, "deterministic": True}
    for name, model, y in [
        ("lightgbm", lightgbm.LGBMClassifier(n_estimators=30, num_leaves=15, **lgb), bad),
        ("lightgbm_classes", lightgbm.LGBMClassifier(n_estimators=10, num_leaves=15, **lgb), rate),
        ("lightgbm_value", lightgbm.LGBMRegressor(n_estimators=20, num_leaves=15, **lgb), amount),
    ]:
        made[name] = onnxmltools.convert_lightgbm(model.fit(gaps, y), initial_types=inputs)

    made["every_mode"] = every_mode()
    return made


def every_mode():
    """Every mode of a branch with missing values to either side, written by hand: exporters use two of the six."""
    rng = np.random.default_rng(SEED)
    nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")}
    missing, targets = [], {k: [] for k in ("treeids", "nodeids", "ids", "weights")}

    def node(tree, id, mode, feature=0, value=0.0, yes=0, no=0, track=0):
        for key, entry in zip(nodes, (tree, id, feature, mode, value, yes, no)):
            nodes[key].append(entry)
        missing.append(track)

    tree = 0
    for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ"):
        for track in (0, 1):
            for value in (-1.5, 0.0, -0.0, 3.0, float("inf"), float("-inf")):
                other = "BRANCH_" + ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")[tree % 6]
                node(tree, 0, "BRANCH_" + mode, tree % 3, value, 1, 2, track)
                node(tree, 1, "LEAF")
                node(tree, 2, other, (tree + 1) % 3, 3.0, 3, 4, 1 - track)
                node(tree, 3, "LEAF")
                node(tree, 4, "LEAF")
                for leaf in (1, 3, 4):
                    for key, entry in zip(targets, (tree, leaf, 0, float(rng.normal()))):
                        targets[key].append(entry)
                tree += 1
    ensemble = onnx.helper.make_node(
        "TreeEnsembleRegressor", ["X"], ["value"], domain="ai.onnx.ml", n_targets=1, post_transform="NONE",
        aggregate_function="AVERAGE", base_values=[0.25], nodes_missing_value_tracks_true=missing,
        **{f"nodes_{k}": v for k, v in nodes.items()}, **{f"target_{k}": v for k, v in targets.items()},
    )
    graph = onnx.helper.make_graph(
        [ensemble], "every_mode",
        [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 3])],
        [onnx.helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, [None, 1])],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("ai.onnx.ml", 3)], ir_version=10)


def thresholds(model):
    """By position of the number among the features: what branches compare it with, if the first input is compared."""
    found = {}
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            for feature, mode, value in zip(*(attributes["nodes_" + k] for k in ("featureids", "modes", "values"))):
                if mode != b"LEAF" and math.isfinite(value):
                    found.setdefault(feature, []).append(value)
    return found


def rows(model, table):
    """Rows of real data and rows that hurt: a list with an entry per feature, None for missing."""
    rng = np.random.default_rng(SEED)
    texts = onnx.TensorProto.STRING
    kinds, whole = [], False
    for entry in model.graph.input:
        tensor = entry.type.tensor_type
        kinds += [tensor.elem_type == texts] * tensor.shape.dim[1].dim_value
        whole |= tensor.elem_type == onnx.TensorProto.INT64
    numbers, categories = list(NUMBERS), list(CATEGORIES)
    if len(kinds) == len(numbers) - 1:
        numbers.remove("credit_amount")
    names = (numbers + categories)[: len(kinds)]
    picked = table.iloc[rng.choice(len(table), ROWS, replace=False)]
    made = [[str(row[n]) if text else float(row[n]) for n, text in zip(names, kinds)] for _, row in picked.iterrows()]

    compared = thresholds(model)
    for at in range(ROWS):
        row = list(made[at])
        for feature, text in enumerate(kinds):
            if text:
                row[feature] = [row[feature], "", "unheard of", None][at % 4]
                continue
            known = compared.get(feature) or [0.0, 1.0, 30.0]
            value = np.float32(known[int(rng.integers(len(known)))])
            below, above = np.nextafter(value, np.float32("-inf")), np.nextafter(value, np.float32("inf"))
            row[feature] = [
                float(value),
                float(below),
                float(above),
                # Not a float32: the nearest one is the threshold itself.
                float(value) + (float(above) - float(value)) * 0.49,
                float(value) - (float(value) - float(below)) * 0.49,
                None,
                float(rng.choice([math.inf, -math.inf, 0.0, -0.0, 3.4e38, -3.4e38, 1e300, 1e-46])) if at % 8 == 0 else row[feature],
            ][int(rng.integers(7))]
            if whole:
                row[feature] = float(round(value)) + float(rng.integers(-1, 2))
        made.append(row)
    width = len(kinds)
    if not whole:
        made += [[None] * width, [float("inf") if not t else "" for t in kinds], [float("-inf") if not t else None for t in kinds]]
    made += [[0.0 if not t else "" for t in kinds], [-0.0 if not t else "none" for t in kinds]]
    return made


def feed(model, rows):
    feeds, at = {}, 0
    kinds = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.INT64: np.int64, onnx.TensorProto.STRING: object}
    for entry in model.graph.input:
        tensor = entry.type.tensor_type
        width, kind = tensor.shape.dim[1].dim_value, kinds[tensor.elem_type]
        none = "" if kind is object else math.nan
        part = [[none if v is None else v for v in row[at : at + width]] for row in rows]
        with np.errstate(over="ignore"):
            feeds[entry.name] = np.array(part, dtype=object if kind is object else np.float64).astype(kind)
        at += width
    return feeds


def session(model):
    options = onnxruntime.SessionOptions()
    # One thread adds in the order of the trees.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model, rows):
    """What onnxruntime answers, alone and all at once, which has to be the same."""
    one = session(model)
    names = [o.name for o in one.get_outputs()]

    def answers(rows):
        outputs = dict(zip(names, one.run(None, feed(model, rows))))
        label = next((outputs[n] for n in names if "label" in n), None)
        values = next(outputs[n] for n in names if "label" not in n)
        if isinstance(values, list):
            values = np.array([list(row.values()) for row in values], dtype=np.float32)
        values = values.reshape(len(rows), -1)
        assert values.dtype == np.float32
        return [
            {
                "label": None if label is None else str(label[at]),
                # As decimals that lead back to the same float32; what is not finite cannot be written in JSON.
                "values": [float(v) if math.isfinite(v) else None for v in values[at]],
            }
            for at in range(len(rows))
        ]

    together = answers(rows)
    for at, row in enumerate(rows):
        alone = answers([row])[0]
        if alone["label"] != together[at]["label"] or not close(alone["values"], together[at]["values"]):
            raise SystemExit(f"onnxruntime answers row {at} otherwise when it is alone")
    return together


def close(a, b):
    return all((x is None) == (y is None) and (x is None or abs(x - y) <= 1e-5 * max(1.0, abs(x))) for x, y in zip(a, b))


def number(value):
    """JSON has no infinities."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def main():
    directory, check = Path(sys.argv[1]), "--check" in sys.argv
    table = data()
    if check:
        differ = 0
        for path in sorted(directory.glob("*.onnx")):
            expected = json.loads(path.with_suffix(".expected.json").read_text())
            limits = {"inf": math.inf, "-inf": -math.inf}
            rows_ = [[v if not isinstance(v, str) else limits.get(v, v) for v in row] for row in expected["rows"]]
            for at, (now, then) in enumerate(zip(run(onnx.load(path), rows_), expected["answers"], strict=True)):
                if now["label"] != then["label"] or not close(now["values"], then["values"]):
                    differ += 1
                    print(f"{path.name}: row {at} is answered otherwise")
        raise SystemExit(1 if differ else 0)
    for name, model in models(table).items():
        onnx.checker.check_model(model)
        # Exporters write their own version and random names; nothing depends on either.
        model.producer_version = ""
        model.graph.name = name
        imports = sorted(model.opset_import, key=lambda i: (i.domain, i.version))
        del model.opset_import[:]
        model.opset_import.extend(imports)
        for node in model.graph.node:
            node.name = ""
        rows_ = rows(model, table)
        answers = run(model, rows_)
        (directory / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        document = {"rows": [[number(v) for v in row] for row in rows_], "answers": answers}
        lines = ",\n".join(json.dumps(v) for v in document["rows"])
        answer_lines = ",\n".join(json.dumps(v) for v in document["answers"])
        text = '{"rows": [\n' + lines + '\n],\n"answers": [\n' + answer_lines + "\n]}\n"
        (directory / f"{name}.expected.json").write_text(text)
        finite = sum(all(v is not None for v in a["values"]) for a in answers)
        print(f"{name}: {len(model.SerializeToString())} bytes, {len(rows_)} rows, {finite} with finite answers")


main()
