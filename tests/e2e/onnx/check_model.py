"""check_model.py FOLDER: every FOLDER/*.onnx passes ONNX's own checker, with shapes inferred, and has its metadata."""

import json
import pathlib
import sys

import onnx
from onnx import shape_inference

OUTPUTS = {
    "binary": ["label", "probabilities"],
    "multiclass": ["label", "probabilities"],
    "multilabel": ["labels", "probabilities"],
    "regression": ["value"],
}


def check(path):
    case = json.loads(path.with_suffix(".json").read_text())
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    assert opsets.pop("") == 13, opsets
    needs_ml = any(node.domain == "ai.onnx.ml" for node in model.graph.node)
    assert opsets == ({"ai.onnx.ml": 2} if needs_ml else {}), opsets
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["task"] == path.stem.split("_")[0], metadata
    columns = json.loads(metadata["feature_columns"])
    assert len(columns) == len(case["cells"][0]), metadata
    inputs = [value.name for value in model.graph.input]
    assert inputs == json.loads(metadata["inputs"]) == case["inputs"], inputs
    taken = OUTPUTS[metadata["task"]]
    assert inputs == ["features"] or all(
        name == column or column in sum(OUTPUTS.values(), [])
        for name, column in zip(inputs, columns)
    ), inputs
    outputs = [output.name for output in model.graph.output]
    assert sorted(outputs) == taken, outputs


paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
assert paths, f"no models in {sys.argv[1]}"
for each in paths:
    try:
        check(each)
    except Exception:
        print(f"FAILED {each.name}")
        raise
print(f"{len(paths)} models are valid")
