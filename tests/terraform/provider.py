"""Stands in for a provider where the registry is out of reach: it knows the snapshot's schemas and
makes nothing.

Terraform's own ``validate``, and ``test`` with mocked providers, ask a provider for its schemas,
and to validate each resource. They find it by the environment variable TF_REATTACH_PROVIDERS and
speak protocol 6 of https://github.com/hashicorp/terraform/tree/main/docs/plugin-protocol with it,
over a socket. Of values only ids are validated; enums and ranges the real provider alone knows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack

from terraform.ids import refused
from terraform.schema import schemas

PROTOCOL = 6
LIST = 2
ERROR = 1
SILENT = (
    "ValidateProviderConfig",
    "ValidateDataResourceConfig",
    "ConfigureProvider",
    "StopProvider",
)


@contextmanager
def providers(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables for Terraform, while the providers are up. ``folder``: where their
    sockets go."""
    with ExitStack() as stack:
        addresses = {}
        for name, one in schemas().items():
            server = grpc.server(ThreadPoolExecutor(4))
            stack.callback(lambda server=server: server.stop(None).wait())
            server.add_generic_rpc_handlers((_handlers(one),))
            server.add_insecure_port(f"unix://{folder}/{name}")
            server.start()
            addresses[one["address"]] = {
                "Protocol": "grpc",
                "ProtocolVersion": PROTOCOL,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "unix", "String": f"{folder}/{name}"},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(addresses)}


def _handlers(schema: dict[str, Any]) -> grpc.GenericRpcHandler:
    known = _answer(schema)
    answers: dict[str, Callable[[bytes], bytes]] = {
        "GetProviderSchema": lambda _: known,
        "ValidateResourceConfig": lambda asked: _validated(asked, schema["resource_schemas"]),
        **dict.fromkeys(SILENT, lambda _: b""),
    }
    return grpc.method_handlers_generic_handler(
        f"tfplugin{PROTOCOL}.Provider",
        {
            name: grpc.unary_unary_rpc_method_handler(lambda asked, _, answer=answer: answer(asked))
            for name, answer in answers.items()
        },
    )


def _validated(asked: bytes, schemas: dict[str, Any]) -> bytes:
    """Return an error for each id that azurerm would refuse."""
    given = dict(_fields(asked))
    kind, config = given[1].decode(), dict(_fields(given[2]))[1]
    body = msgpack.unpackb(config, ext_hook=lambda *_: None, strict_map_key=False)  # not known yet
    return b"".join(
        _field(1, _field(1, ERROR) + _field(2, problem))
        for problem in refused(kind, body, schemas[kind])
    )


def _answer(schema: dict[str, Any]) -> bytes:
    parts = [_field(1, _schema(schema["provider"]))]
    for number, part in ((2, "resource_schemas"), (3, "data_source_schemas")):
        parts += [
            _field(number, _field(1, name) + _field(2, _schema(one)))
            for name, one in schema[part].items()
        ]
    return b"".join(parts)


def _schema(block: dict[str, Any]) -> bytes:
    return _field(2, _block(block))


def _block(block: dict[str, Any]) -> bytes:
    attributes = [_field(2, _attribute(name, one)) for name, one in block["attributes"].items()]
    nested = [_field(3, _nested(name, one)) for name, one in block.get("block_types", {}).items()]
    return b"".join(attributes + nested)


def _attribute(name: str, attribute: dict[str, Any]) -> bytes:
    flags = {"required": 4, "optional": 5, "computed": 6, "sensitive": 7, "write_only": 11}
    set_ones = b"".join(_field(number, 1) for flag, number in flags.items() if attribute.get(flag))
    return _field(1, name) + _field(2, json.dumps(attribute["type"])) + set_ones


def _nested(name: str, nested: dict[str, Any]) -> bytes:
    limits = b"".join(
        _field(number, nested[key])
        for key, number in (("min_items", 4), ("max_items", 5))
        if key in nested
    )
    return _field(1, name) + _field(2, _block(nested["block"])) + _field(3, LIST) + limits


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message of Protocol Buffers: a number, or what has a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message whose fields all have a length."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        name, length = number() >> 3, number()
        yield name, message[at : at + length]
        at += length
