"""Open a file with OpenVINO in a subprocess, so that a file that crashes it ends nothing else.

`python -m edgecnn_export.inspection.targets.openvino_probe MODEL` prints one JSON document: `error`, or OpenVINO's
`version`, the number of convolutions and matrix products (`products`) and how many of them run on `integers`.
"""

import json
import sys
from importlib import metadata

from edgecnn_runtime.backends.openvino import PROPERTIES, import_openvino

# What its CPU plugin calls them.
_PRODUCTS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")


def probe(path: str) -> dict[str, object]:
    """Open the file, compile it as the runtime does, and return what became of the graph."""
    core = import_openvino().Core()
    try:
        compiled = core.compile_model(core.read_model(path), "CPU", PROPERTIES)
    # Its C++ exceptions become several of Python's.
    except Exception as error:
        return {"error": (str(error).strip().splitlines() or [type(error).__name__])[-1]}
    kinds = [operator.get_rt_info() for operator in compiled.get_runtime_model().get_ops()]
    products = [str(kind["primitiveType"].astype(str)) for kind in kinds if kind["layerType"].astype(str) in _PRODUCTS]
    return {
        "version": metadata.version("openvino"),
        "products": len(products),
        # The kernel's name ends with its type.
        "integers": sum(name.endswith("_I8") for name in products),
    }


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1])))
