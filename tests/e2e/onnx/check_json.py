"""check_json.py FOLDER: what FOLDER/NAME.model.json says, computed with numpy from that file alone, is what the predictor
said in FOLDER/NAME.json. Preprocessing and forward pass are written here a second time, from the descriptions in
core/model/export.h and core/data/feature_options.h."""

import json
import math
import pathlib
import sys

import numpy as np

TOLERANCE = 1e-5  # of 1 + |expected|: the predictor computes in float32, this in double


def sigmoid(z):
    return 0.5 * (1 + np.tanh(z / 2))


def gelu(z):
    return z * 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
ACTIVATIONS = {
    "identity": lambda z, a: z,
    "relu": lambda z, a: np.maximum(z, 0),
    "sigmoid": lambda z, a: sigmoid(z),
    "tanh": lambda z, a: np.tanh(z),
    "leaky_relu": lambda z, a: np.where(z > 0, z, a * z),
    "elu": lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0))),
    "selu": lambda z, a: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))),
    "gelu": lambda z, a: gelu(z),
    "gelu_tanh": lambda z, a: z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    "silu": lambda z, a: z * sigmoid(z),
    "softplus": lambda z, a: np.logaddexp(z, 0),
    "hard_sigmoid": lambda z, a: np.clip(z / 6 + 0.5, 0, 1),
    "hard_tanh": lambda z, a: np.clip(z, -1, 1),
    "hard_swish": lambda z, a: z * np.clip(z / 6 + 0.5, 0, 1),
}


def category_hash(text):
    mask = 2**64 - 1
    h = 14695981039346656037
    for byte in text.encode():
        h = ((h ^ byte) * 1099511628211) & mask
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = ((h ^ (h >> 33)) * factor) & mask
    return h ^ (h >> 33)


def features_of_number(column, cell):
    missing = cell is None
    if missing and column["fill"] is None:
        return [math.nan] * (2 if column["missing_indicator"] else 1)
    number = column["fill"] if missing else float(cell)
    return [(number - column["offset"]) * column["scale"]] + [float(missing)] * column["missing_indicator"]


def index_of(column, cell):
    """-1: none of the categories."""
    if cell is None:
        return -1
    if column["numeric_categories"]:
        numbers = [float(category) for category in column["categories"]]
        return numbers.index(float(cell)) if float(cell) in numbers else -1
    return column["categories"].index(cell) if cell in column["categories"] else -1


def features_of_ordinal(column, cell):
    index = index_of(column, cell)
    if index >= 0:
        return [(index - column["offset"]) * column["scale"]]
    return [math.nan if cell is not None and column["unseen"] == "refuse" else 0.0]


def features_of_one_hot(column, cell):
    count = len(column["categories"])
    features = [0.0] * (count + column["other_bucket"] + column["missing_indicator"])
    index = index_of(column, cell)
    if cell is None and column["missing_indicator"]:
        index = len(features) - 1
    elif index < 0 and column["unseen"] == "refuse":
        return [math.nan] * len(features)
    elif index < 0 and column["unseen"] == "other":
        index = count
    if index >= 0:
        features[index] = 1.0
    return features


def features_of_hashing(column, cell):
    features = [0.0] * (column["buckets"] + column["missing_indicator"])
    if cell is not None:
        features[category_hash(cell) % column["buckets"]] = 1.0
    elif column["missing_indicator"]:
        features[-1] = 1.0
    return features


FEATURES = {
    "number": features_of_number,
    "one_hot": features_of_one_hot,
    "ordinal": features_of_ordinal,
    "hashing": features_of_hashing,
}


def features_of(preprocessing, row):
    missing = ["", *preprocessing["missing_markers"]]
    features = []
    for column, cell in zip(preprocessing["columns"], row, strict=True):
        features += FEATURES[column["encoding"]](column, None if cell in missing else cell)
    return features


def normalise(normalization, z):
    gains, shifts = (np.array(normalization[key]) for key in ("gains", "shifts"))
    if normalization["kind"] == "batch":
        means, variances = (np.array(normalization[key]) for key in ("running_means", "running_variances"))
    else:
        means, variances = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
    return (z - means) / np.sqrt(variances + normalization["epsilon"]) * gains + shifts


def forward(layers, x):
    for layer in layers:
        weights = np.array(layer["weights"])
        assert weights.shape == (layer["in"], layer["out"]), weights.shape
        z = x @ weights + (np.array(layer["biases"]) if layer["biases"] else 0)
        if "normalization" in layer:
            z = normalise(layer["normalization"], z)
        y = ACTIVATIONS[layer["activation"]](z, layer.get("alpha"))
        x = x + y if layer["residual"] else y
    return x


def outputs_of(model, z):
    loss, classes = model["loss"], model["classes"]
    if model["task"] == "regression":
        value = np.exp(z) if loss["kind"] == "poisson" else z * loss["target_scale"] + loss["target_offset"]
        return {"value": value.ravel()}
    if model["task"] == "multilabel":
        labels = np.where(np.isnan(z), -1, z > 0).ravel()
        return {"labels": labels, "probabilities": sigmoid(z).ravel()}
    if model["task"] == "binary":
        z = np.concatenate([np.zeros_like(z), z], axis=1)
    probabilities = np.exp(z - z.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    label = ["" if np.isnan(row).any() else classes[int(row.argmax())] for row in z]
    return {"label": label, "probabilities": probabilities.ravel()}


def check(path):
    model = json.loads(path.with_suffix(".model.json").read_text())
    case = json.loads(path.read_text())
    assert model["format"] == "trainyard-model" and model["version"] == 3
    assert [column["column"] for column in model["preprocessing"]["columns"]] == model["feature_columns"]
    x = np.array([features_of(model["preprocessing"], row) for row in case["cells"]])
    refused = np.isnan(x).any(axis=1)
    x[refused] = math.nan
    worst = 0.0
    for name, actual in outputs_of(model, forward(model["layers"], x)).items():
        expected = case[name]
        if name == "label":
            assert actual == expected, name
            continue
        expected = np.array([math.nan if number is None else number for number in expected])
        assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
        assert (np.isnan(actual) == np.isnan(expected)).all(), name
        difference = np.nan_to_num(np.abs(actual - expected) / (1 + np.abs(expected)))
        assert difference.max() <= TOLERANCE, (name, difference.max())
        worst = max(worst, difference.max())
    return worst, int(refused.sum())


paths = [path for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")) if not path.name.endswith(".model.json")]
assert paths, f"no models in {sys.argv[1]}"
refused_rows = 0
for each in paths:
    try:
        largest, count = check(each)
    except Exception:
        print(f"FAILED {each.name}")
        raise
    refused_rows += count
    print(f"ok {each.stem}: largest relative difference {largest:.2e}, {count} rows refused")
assert refused_rows > 0, "no case has a row that is refused"
print(f"{len(paths)} models agree")
