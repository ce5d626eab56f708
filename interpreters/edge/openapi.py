"""What the scoring server says about itself at `/openapi.json`: OpenAPI 3.1, made from the domain's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidepool.domain import Tag

JSON: Final = "application/json"


def document(nodes: int) -> dict[str, Any]:
    """The document of a server that rates up to that many nodes in a request."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tidepool scoring server",
            "version": "1",
            "summary": "Rates how much code matters to a question.",
        },
        "paths": {
            "/score": {"post": _score()},
            "/healthz": {
                "get": _page("Whether the server runs", _object(status={"const": "ok"}, scorer=_TEXT), auth=False)
            },
            "/metrics": {"get": _page("Metrics for Prometheus", {"type": "string"}, kind="text/plain")},
            "/openapi.json": {"get": _page("This document", {"type": "object"})},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(nodes),
        },
        "security": [{}, {"token": []}],
    }


_TEXT: Final = {"type": "string"}
_ONE_TO_FIVE: Final = {"type": "integer", "minimum": 1, "maximum": 5}

REFUSALS: Final[Mapping[str, str]] = {
    "400": "No JSON, no UTF-8, or not one Host header",
    "401": "The token is missing or wrong",
    "403": "A page in a browser asks",
    "408": "The body did not arrive in time",
    "413": "The body is too large, or asks about too many nodes",
    "415": "The body is said to be something else than JSON, or to be encoded",
    "421": "The server listens on loopback and was called by another name",
    "422": "The body asks about no node: `field` names what is wrong",
    "503": "The scorer failed, or the server is busy or stopping; `Retry-After` is set where it is busy",
}
_EVERY_PATHS: Final = ("400", "403", "421")


def _score() -> dict[str, Any]:
    return {
        "operationId": "score",
        "summary": "Rate one node, or several",
        "requestBody": {"required": True, "content": {JSON: {"schema": _either("Asked", "AskedMany")}}},
        "responses": {
            "200": _answer("A rubric, or for an array one answer for each node, in order", _either("Rubric", "Rated")),
            **{status: _refusal(status) for status in REFUSALS},
        },
    }


def _page(summary: str, schema: Mapping[str, Any], *, kind: str = JSON, auth: bool = True) -> dict[str, Any]:
    refusals = {status: _refusal(status) for status in (*_EVERY_PATHS, *(("401",) if auth else ()))}
    page = {"summary": summary, "responses": {"200": _answer(summary, schema, kind), **refusals}}
    return page if auth else {**page, "security": []}


def _refusal(status: str) -> dict[str, Any]:
    return _answer(REFUSALS[status], _ref("Invalid" if status == "422" else "Error"))


def _answer(description: str, schema: Mapping[str, Any], kind: str = JSON) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _schemas(nodes: int) -> dict[str, Any]:
    return {
        "Tag": {"enum": [tag.value for tag in Tag]},
        "Asked": _object(
            query=_TEXT,
            tags={"type": "array", "items": _ref("Tag")},
            location={
                "type": "string",
                "pattern": "^[^\\n]+:[1-9][0-9]{0,8}$",
                "description": "`path:line`, from line 1",
            },
            hover={"type": ["string", "null"], "description": "what a language server says about the symbol"},
            snippet={"type": "string", "description": "the line, two before it and two after it"},
        ),
        "AskedMany": {"type": "array", "maxItems": nodes, "items": _ref("Asked")},
        "Rubric": _object(relevance=_ONE_TO_FIVE, risk=_ONE_TO_FIVE, confidence=_ONE_TO_FIVE, reasoning=_TEXT),
        "Rated": {"type": "array", "maxItems": nodes, "items": _either("Rubric", "Error")},
        "Error": _object(error=_TEXT),
        "Invalid": _object(error=_TEXT, field=_TEXT),
    }


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with exactly these properties."""
    return {"type": "object", "required": [*properties], "additionalProperties": False, "properties": properties}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _either(*names: str) -> dict[str, Any]:
    return {"oneOf": [_ref(name) for name in names]}
