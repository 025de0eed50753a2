"""The published contract as Python modules, generated from proto/ alone with Debian's protoc and its gRPC plugin.

    from support import contract
    stub = contract.dataset_grpc.DatasetServiceStub(channel)

Generated once per process into a temporary folder that goes away with it.
"""

import atexit
import importlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _generate() -> str:
    folder = tempfile.mkdtemp(prefix="trainyard-stubs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    proto = ROOT / "proto"
    files = sorted(str(path) for path in proto.rglob("*.proto"))
    subprocess.run(
        ["protoc", f"-I{proto}", f"--python_out={folder}", f"--grpc_python_out={folder}",
         "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", *files],
        check=True)
    return folder


_FOLDER = _generate()
# `google` is a regular package of python3-protobuf here: let it find our google/rpc as well.
sys.path.insert(0, _FOLDER)
import google  # noqa: E402

google.__path__.append(f"{_FOLDER}/google")


def _module(name: str):
    return importlib.import_module(f"trainyard.v1.{name}")


common = _module("common_pb2")
spec = _module("spec_pb2")
dataset = _module("dataset_pb2")
dataset_grpc = _module("dataset_pb2_grpc")
job = _module("job_pb2")
job_grpc = _module("job_pb2_grpc")
model = _module("model_pb2")
model_grpc = _module("model_pb2_grpc")
admin = _module("admin_pb2")
admin_grpc = _module("admin_pb2_grpc")
auth = _module("auth_pb2")
auth_grpc = _module("auth_pb2_grpc")
analysis = _module("analysis_pb2")
analysis_spec = _module("analysis_spec_pb2")
policy = _module("policy_pb2")
course = _module("course_pb2")
course_grpc = _module("course_pb2_grpc")
course_event = _module("course_event_pb2")
submission = _module("submission_pb2")
submission_grpc = _module("submission_pb2_grpc")
grades = _module("grades_pb2")
grades_grpc = _module("grades_pb2_grpc")
worker = _module("worker_pb2")
rpc_status = importlib.import_module("google.rpc.status_pb2")
error_details = importlib.import_module("google.rpc.error_details_pb2")
