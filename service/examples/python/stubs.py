"""Makes the Python code of the protos at first use, so that the examples run from a checkout.

A program of your own would do this once, at build time:
python -m grpc_tools.protoc -I proto --python_out=stubs --grpc_python_out=stubs google/rpc/status.proto longcast/v1/*.proto
"""

import os
import pathlib
import sys
import tempfile

from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"


def make(folder):
    """Compiles the protos into a folder; grpclib's code beside grpcio's, where its plugin is there."""
    protos = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "longcast" / "v1").glob("*.proto"))
    arguments = ["protoc", f"-I{PROTO}", f"-I{pathlib.Path(protoc.__file__).parent / '_proto'}"]
    arguments += [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    plugin = pathlib.Path(sys.executable).parent / "protoc-gen-grpclib_python"
    if plugin.exists():
        arguments += [f"--plugin=protoc-gen-grpclib_python={plugin}", f"--grpclib_python_out={folder}"]
    if protoc.main(arguments + protos) != 0:
        raise SystemExit("the protos do not compile")


_made = None if "LONGCAST_STUBS" in os.environ else tempfile.TemporaryDirectory(prefix="longcast-stubs-")
if _made is not None:
    make(_made.name)
sys.path.insert(0, os.environ.get("LONGCAST_STUBS") or _made.name)
