"""The same forecasts as a team would serve them from Python: grpcio (asyncio) and numpy.

The question is a line of JSON {"descriptors": path of a FileDescriptorSet, "weights": [lag 1, lag 2, ...], "intercept":
b, "center": c, "scale": s}; the answer is {"port": n}. The server then answers longcast.v1.ForecastService/Forecast until
its standard input ends. Series are scaled, forecast step by step from their last values, and scaled back, as the model
whose weights these are does it.
"""

import asyncio
import json
import sys
import threading

import grpc
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def messages(path):
    """The request and the answer, out of the descriptors of the protos."""
    with open(path, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    named = [pool.FindMessageTypeByName("longcast.v1." + name) for name in ("ForecastRequest", "ForecastResponse")]
    return [message_factory.GetMessageClass(one) for one in named]


class Model:
    """An autoregression, oldest weight first."""

    def __init__(self, question):
        self.weights = np.array(question["weights"])[::-1].copy()
        self.intercept, self.center, self.scale = question["intercept"], question["center"], question["scale"]

    def forecast(self, values, horizon):
        order = len(self.weights)
        path = np.empty(order + horizon)
        path[:order] = (values[-order:] - self.center) / self.scale
        for step in range(horizon):
            path[order + step] = self.intercept + path[step : order + step] @ self.weights
        return path[order:] * self.scale + self.center


async def serve(question, answered):
    request_type, response_type = messages(question["descriptors"])
    model = Model(question)

    async def forecast(request, context):
        series, response = request.series, response_type()
        answer = response.forecast
        answer.series_id = series.series_id
        answer.mean.extend(model.forecast(np.array(series.values), request.spec.horizon))
        answer.axis.regular.step_nano = series.axis.regular.step_nano
        step = series.axis.regular.step_nano
        answer.axis.regular.start_unix_nano = series.axis.regular.start_unix_nano + len(series.values) * step
        answer.channels.append("y")
        answer.model_revision = "models/load/revisions/0123456789ab"
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        forecast, request_deserializer=request_type.FromString, response_serializer=response_type.SerializeToString
    )
    service = grpc.method_handlers_generic_handler("longcast.v1.ForecastService", {"Forecast": handler})
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    answered(port)
    await server.wait_for_termination()


for line in sys.stdin:
    told = threading.Event()

    def answered(port):
        print(json.dumps({"port": port}), flush=True)
        told.set()

    question = json.loads(line)
    threading.Thread(target=lambda: asyncio.run(serve(question, answered)), daemon=True).start()
    told.wait()
