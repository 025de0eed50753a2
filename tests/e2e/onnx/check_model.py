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
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    assert model.opset_import[0].version == 13, model.opset_import
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["task"] == path.stem.split("_")[0], metadata
    assert len(json.loads(metadata["feature_columns"])) == 5, metadata
    outputs = [output.name for output in model.graph.output]
    assert sorted(outputs) == OUTPUTS[metadata["task"]], outputs


paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
assert paths, f"no models in {sys.argv[1]}"
for each in paths:
    check(each)
print(f"{len(paths)} models are valid")
