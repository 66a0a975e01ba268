"""Asks a Longcast server for a forecast, as a stranger with grpcio and our protos would.

    client.py ADDRESS MODEL HISTORY.csv HORIZON

The history is an hourly CSV of one series with a header, stamps as "2014-12-31 23:00:00", and empty cells where
a value is missing. Prints one JSON object: the health of the service, every number of the forecast as the
hexadecimal digits of its IEEE double, the same from a batch of three, and what the server says of an infinite
value.
"""

import csv
import datetime
import json
import math
import struct
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from longcast.v1 import forecast_service_pb2 as pb
from longcast.v1 import forecast_service_pb2_grpc, types_pb2

SECONDS = 30
HOUR = 3_600_000_000_000


def read_history(path):
    """The series id, the first stamp in nanoseconds, and the values of a CSV."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    stamp = datetime.datetime.strptime(rows[1][0], "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    start = int(stamp.timestamp()) * 1_000_000_000
    values = [float(cell) if cell else math.nan for _, cell in rows[1:]]
    return rows[0][1], start, values


def bits(values):
    """Each number as the 16 digits of its double, so that nothing is lost on the way out of here."""
    return [struct.pack(">d", value).hex() for value in values]


def describe(forecast):
    """Stamps and numbers of a forecast, by the names of the columns that the program writes."""
    start, step = forecast.axis.regular.start_unix_nano, forecast.axis.regular.step_nano
    epoch = datetime.datetime(1970, 1, 1)
    stamps = [epoch + datetime.timedelta(microseconds=(start + i * step) // 1000) for i in range(len(forecast.mean))]
    columns = {"": bits(forecast.mean)}
    for interval in forecast.intervals:
        level = f"{interval.coverage * 100:g}"
        columns[f"-lo-{level}"] = bits(interval.lower)
        columns[f"-hi-{level}"] = bits(interval.upper)
    for quantile in forecast.quantiles:
        columns[f"-q-{quantile.level:g}"] = bits(quantile.values)
    return {
        "series_id": forecast.series_id,
        "ds": [str(stamp) for stamp in stamps],
        "columns": columns,
        "channels": list(forecast.channels),
        "model_revision": forecast.model_revision,
    }


def describe_error(error):
    """Code, reason and field paths of a failed call."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for message in (info, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return {
        "code": error.code().name,
        "reason": info.reason,
        "domain": info.domain,
        "fields": [violation.field for violation in bad.field_violations],
    }


def main(address, model, path, horizon):
    series_id, start, values = read_history(path)
    axis = types_pb2.TimeAxis(regular=types_pb2.RegularAxis(start_unix_nano=start, step_nano=HOUR))
    spec = types_pb2.ForecastSpec(
        horizon=int(horizon), interval_coverages=[0.8, 0.95], quantile_levels=[0.1, 0.9]
    )

    def series(values):
        return types_pb2.Series(series_id=series_id, axis=axis, values=values)

    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="longcast.v1.ForecastService"), timeout=SECONDS
        )
        stub = forecast_service_pb2_grpc.ForecastServiceStub(channel)
        request = pb.ForecastRequest(model=model, series=series(values), spec=spec)
        answer = stub.Forecast(request, timeout=SECONDS).forecast

        batch = pb.BatchForecastRequest(model=model, series=[series(values)] * 3, spec=spec, ordered=True)
        answers = list(stub.BatchForecast(batch, timeout=SECONDS))

        spoilt = values[:4031] + [math.inf] + values[4032:]
        try:
            stub.Forecast(pb.ForecastRequest(model=model, series=series(spoilt), spec=spec), timeout=SECONDS)
            error = None
        except grpc.RpcError as failed:
            error = describe_error(failed)

    json.dump(
        {
            "health": health_pb2.HealthCheckResponse.ServingStatus.Name(health.status),
            "forecast": describe(answer),
            "batch": [describe(response.forecast) for response in answers],
            "error": error,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
