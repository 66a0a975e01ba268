"""Forecasts a series: python forecast.py ADDRESS MODEL FILE.csv HORIZON

The file has the columns ds and y, an hour a row. Prints one JSON document.
"""

import csv
import datetime
import json
import sys

import stubs  # noqa: F401  (makes the next imports possible)

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from longcast.v1 import forecast_service_pb2 as service
from longcast.v1 import forecast_service_pb2_grpc as rpc
from longcast.v1 import types_pb2 as types

HOUR = 3_600_000_000_000


def series(path):
    """The rows of a file as a series on a regular axis."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    first = datetime.datetime.fromisoformat(rows[0]["ds"]).replace(tzinfo=datetime.timezone.utc)
    start = int(first.timestamp()) * 1_000_000_000
    values = [float(row["y"]) if row["y"] else float("nan") for row in rows]
    axis = types.TimeAxis(regular=types.RegularAxis(start_unix_nano=start, step_nano=HOUR))
    return types.Series(series_id="load", axis=axis, values=values)


def reason(error):
    """Why a call failed: the code, the reason of the closed list, and the fields to blame."""
    found = {"code": error.code().name, "reason": None, "fields": []}
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            found["reason"] = info.reason
        elif detail.Unpack(bad):
            found["fields"] = [violation.field for violation in bad.field_violations]
    return found


def main(address, model, path, horizon):
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        stub = rpc.ForecastServiceStub(channel)
        spec = types.ForecastSpec(horizon=int(horizon), interval_coverages=[0.8])
        request = service.ForecastRequest(model=model, series=series(path), spec=spec)
        forecast = stub.Forecast(request, timeout=10).forecast
        try:
            request.spec.horizon = 0
            stub.Forecast(request, timeout=10)
            refused = None
        except grpc.RpcError as error:
            refused = reason(error)
    print(
        json.dumps(
            {
                "health": health_pb2.HealthCheckResponse.ServingStatus.Name(health.status),
                "revision": forecast.model_revision,
                "mean": list(forecast.mean),
                "lower": list(forecast.intervals[0].lower),
                "upper": list(forecast.intervals[0].upper),
                "refused": refused,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:5])
