"""What a TFLite file says about itself, read with TensorFlow's own copy of the official schema."""

from tensorflow.lite.python import schema_py_generated as schema

# The older field for an operator's number has a byte; 127 says: see the newer one.
_LAST_IN_OLD_FIELD = 127


def operator_versions(content: bytes) -> dict[str, int]:
    """Return the version of each operator that is used; both fields for its number must name it, and it only once."""
    model = schema.Model.GetRootAs(content, 0)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    graph = model.Subgraphs(0)
    used = {graph.Operators(number).OpcodeIndex() for number in range(graph.OperatorsLength())}
    codes = [model.OperatorCodes(number) for number in sorted(used)]
    for code in codes:
        assert code.DeprecatedBuiltinCode() == min(code.BuiltinCode(), _LAST_IN_OLD_FIELD)
    versions = {names[code.BuiltinCode()]: code.Version() for code in codes}
    assert len(versions) == len(codes)
    return versions


def oldest_runtime(content: bytes) -> str:
    """Return what the file says is the oldest runtime that knows its operators."""
    model = schema.Model.GetRootAs(content, 0)
    entries = {model.Metadata(n).Name(): model.Metadata(n).Buffer() for n in range(model.MetadataLength())}
    data = model.Buffers(entries[b"min_runtime_version"]).DataAsNumpy().tobytes()
    return data.rstrip(b"\0").decode()
