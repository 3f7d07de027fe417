"""Leave out of a model what none of its operators uses: converters and quantizers leave it behind."""

from collections.abc import Iterator

import onnx


def remove_unused(model: onnx.ModelProto) -> None:
    """Remove, in place, constants that nobody reads, operator sets that nobody needs, and shapes of inner tensors.

    Every engine infers the shapes itself, and refuses or misreads those that a converter has left stale.
    """
    nodes = list(_nodes(model.graph))
    read = {name for node in nodes for name in node.input} | {output.name for output in model.graph.output}
    for entry in [entry for entry in model.graph.initializer if entry.name not in read]:
        model.graph.initializer.remove(entry)
    domains = {"", *(_domain(node.domain) for node in nodes)}
    for opset in [opset for opset in model.opset_import if _domain(opset.domain) not in domains]:
        model.opset_import.remove(opset)
    del model.graph.value_info[:]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Return the nodes of a graph, and of those inside its loops and branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(inner)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name
