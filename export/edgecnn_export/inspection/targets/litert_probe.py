"""Open a TFLite file with LiteRT in a subprocess, so that a file that crashes it ends nothing else.

`python -m edgecnn_export.inspection.targets.litert_probe MODEL` prints one JSON document: `error`, or LiteRT's
`version` and `nodes`: the file's own operators and behind them the delegates', each `{"name", "inputs", "outputs"}`.
"""

import json
import sys
from importlib import metadata


def probe(path: str) -> dict[str, object]:
    """Open the file, plan its memory, and return what became of the graph."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=path, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    # The only place where LiteRT's Python interface tells which operators a delegate took.
    nodes = interpreter._get_ops_details()
    return {
        "version": metadata.version("ai-edge-litert"),
        "nodes": [
            {
                "name": node["op_name"],
                "inputs": [int(number) for number in node["inputs"]],
                "outputs": [int(number) for number in node["outputs"]],
            }
            for node in nodes
        ],
    }


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1])))
