"""What tritonclient gets of a server, as JSON: ``triton.py HOST:PORT MODEL NAMES ROWS``."""

import json
import sys

import numpy as np
import tritonclient.http as triton

url, model, names, rows = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
client = triton.InferenceServerClient(url)
frame = np.array(rows)


def tensor(name, values, binary, datatype="FP64"):
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def predictions(inputs, method, binary):
    outputs = method and [triton.InferRequestedOutput(method, binary_data=binary)]
    answer = client.infer(model, inputs, outputs=outputs, request_id="7")
    response = answer.get_response()
    (output,) = response["outputs"]
    values = answer.as_numpy(output["name"])
    is_binary = "binary_data_size" in output.get("parameters", {})
    return {
        "id": response["id"],
        "name": output["name"],
        "dtype": str(values.dtype),
        "binary": is_binary,
        "values": values.tolist(),
    }


def error(inputs, name=model, **options):
    try:
        client.infer(name, inputs, **options)
    except triton.InferenceServerException as refused:
        return [refused.status(), refused.message()]
    return None


answers = {}
for sent in (False, True):
    for asked in (False, True):
        for method in (None, "predict", "predict_proba"):
            key = f"{'binary' if sent else 'JSON'}, {'binary' if asked else 'JSON'}, {method}"
            answers[key] = predictions([tensor("rows", frame, sent)], method, asked)
columns = [tensor(name, frame[:, [place]], True) for place, name in enumerate(names)]
json.dump(
    {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready(model),
        "other model ready": client.is_model_ready("other"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(model),
        "answers": answers,
        "columns": predictions(columns[::-1], None, True),
        "packed": client.infer(
            model, [tensor("rows", frame, True)], request_compression_algorithm="gzip"
        ).as_numpy("predict").tolist(),
        "errors": {
            "other model": error([tensor("rows", frame, True)], "other"),
            "width": error([tensor("rows", frame[:, :3], True)]),
            "infinite": error([tensor("rows", frame * np.inf, True)]),
            "method": error(
                [tensor("rows", frame, True)], outputs=[triton.InferRequestedOutput("fit")]
            ),
        },
    },
    sys.stdout,
)  # fmt: skip
