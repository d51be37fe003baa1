"""Bodies that fit a described route well enough to reach its decision."""

from typing import Any

NOWHERE = "01920000-0000-7000-8000-000000000000"


def example_of(operation: dict[str, Any], described: dict[str, Any]) -> Any:
    """A JSON body for this operation of the OpenAPI description, or None when it takes none."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return None if schema is None else _example(schema, described)


def _example(schema: dict[str, Any], described: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(described["components"]["schemas"][schema["$ref"].rpartition("/")[2]], described)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _example(schema[key][0], described)
    if "default" in schema:
        return schema["default"]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", ())
            return {n: _example(s, described) for n, s in schema.get("properties", {}).items() if n in needed}
        case "array":
            return [_example(schema["items"], described)] * schema.get("minItems", 0)
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return _text(schema)


def _text(schema: dict[str, Any]) -> str:
    by_format = {"date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01", "uuid": NOWHERE}
    text = by_format.get(schema.get("format", ""), "hello there 12345")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", len(text) + 1000)]
