"""Stands in for a provider where the registry is out of reach: it knows the snapshot's schemas and
makes nothing.

Terraform's own ``validate``, and ``test`` with mocked providers, ask a provider for no more than
that. They find it by the environment variable TF_REATTACH_PROVIDERS and speak protocol 6 of
https://github.com/hashicorp/terraform/tree/main/docs/plugin-protocol with it, over a socket. Enums
and ranges, which only the real provider knows, are not checked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from terraform.schema import schemas

PROTOCOL = 6
LIST = 2
VALIDATIONS = ("ValidateProviderConfig", "ValidateResourceConfig", "ValidateDataResourceConfig")


@contextmanager
def providers(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables for Terraform, while the providers are up. ``folder``: where their
    sockets go."""
    with ExitStack() as stack:
        addresses = {}
        for name, one in schemas().items():
            server = grpc.server(ThreadPoolExecutor(4))
            stack.callback(lambda server=server: server.stop(None).wait())
            server.add_generic_rpc_handlers((_handlers(_answer(one)),))
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


def _handlers(schema: bytes) -> grpc.GenericRpcHandler:
    answers = {
        "GetProviderSchema": schema,
        **dict.fromkeys((*VALIDATIONS, "ConfigureProvider", "StopProvider"), b""),
    }
    return grpc.method_handlers_generic_handler(
        f"tfplugin{PROTOCOL}.Provider",
        {
            name: grpc.unary_unary_rpc_method_handler(lambda _, __, answer=answer: answer)
            for name, answer in answers.items()
        },
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
