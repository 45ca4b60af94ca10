"""What KServe's client gets of a server, as JSON: ``kserve_rest.py URL MODEL NAMES ROWS``."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, model, names, rows = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
frame = np.array(rows)


def tensor(name, values, binary):
    made = InferInput(name, list(values.shape), "FP64")
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def request(inputs, **parameters):
    return InferRequest(model, inputs, request_id="7", parameters=parameters)


async def infer(client, asked):
    answer = await client.infer(url, asked, model_name=model)
    (output,) = answer.outputs
    return {"id": answer.id, "name": output.name, "values": output.as_numpy().tolist()}


async def error(work):
    try:
        await work
    except httpx.HTTPStatusError as refused:
        return [refused.response.status_code, str(refused)]


async def calls():
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    columns = [tensor(name, frame[:, place], False) for place, name in enumerate(names)]
    instances = {"instances": rows}
    return {
        "live": await v2.is_server_live(url),
        "ready": await v2.is_server_ready(url),
        "model ready": await v2.is_model_ready(url, model),
        "JSON": await infer(v2, request([tensor("rows", frame, False)])),
        "binary": await infer(v2, request([tensor("rows", frame, True)])),
        "binary answer": await infer(
            v2, request([tensor("rows", frame, True)], binary_data_output=True)
        ),
        "columns": await infer(v2, request(columns, content_type="pd")),
        "V1": (await v1.infer(url, instances, model_name=model))["predictions"],
        "V1 model ready": await v1.is_model_ready(url, model),
        "errors": {
            "width": await error(infer(v2, request([tensor("rows", frame[:, :3], False)]))),
            "V1 width": await error(v1.infer(url, {"instances": [[1]]}, model_name=model)),
        },
    }


json.dump(asyncio.run(calls()), sys.stdout)
