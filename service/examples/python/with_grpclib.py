"""The same forecast through grpclib, another implementation of gRPC: python with_grpclib.py HOST PORT MODEL FILE.csv

Prints one JSON document.
"""

import asyncio
import json
import sys

import stubs  # noqa: F401

from grpclib.client import Channel
from grpclib.exceptions import GRPCError
from longcast.v1 import forecast_service_grpc, forecast_service_pb2, types_pb2

from forecast import series


async def main(host, port, model, path):
    async with Channel(host, int(port)) as channel:
        stub = forecast_service_grpc.ForecastServiceStub(channel)
        spec = types_pb2.ForecastSpec(horizon=24, interval_coverages=[0.8])
        request = forecast_service_pb2.ForecastRequest(model=model, series=series(path), spec=spec)
        forecast = (await stub.Forecast(request, timeout=10)).forecast
        # One response for each series, in the order in which they were sent.
        batch = forecast_service_pb2.BatchForecastRequest(model=model, series=[request.series] * 3, spec=spec, ordered=True)
        answers = await stub.BatchForecast(batch, timeout=10)
        try:
            request.model = "models/nobody"
            await stub.Forecast(request, timeout=10)
            refused = None
        except GRPCError as error:
            refused = error.status.name
    print(
        json.dumps(
            {
                "mean": list(forecast.mean),
                "batch": [list(answer.forecast.mean) for answer in answers],
                "refused": refused,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
