"""Streams a series into a session and prints a forecast after each value: python session.py ADDRESS MODEL FILE.csv

The stream is cut in the middle and goes on from the number that the server names: nothing is lost, nothing counts
twice. Prints one JSON document.
"""

import json
import queue
import sys

import stubs  # noqa: F401

import grpc
from longcast.v1 import session_service_pb2 as service
from longcast.v1 import session_service_pb2_grpc as rpc
from longcast.v1 import types_pb2 as types

from forecast import series


class Stream:
    """One stream of a session: requests go in through a queue."""

    def __init__(self, stub, name):
        self.requests = queue.Queue()
        self.answers = stub.StreamSession(iter(self.requests.get, None), timeout=60)
        self.requests.put(service.StreamSessionRequest(open=service.OpenSession(session=name)))
        self.next_sequence = next(self.answers).opened.next_sequence

    def send(self, first_sequence, values):
        batch = service.ObservationBatch(first_sequence=first_sequence, values=values)
        self.requests.put(service.StreamSessionRequest(observations=batch))

    def forecasts(self, through):
        """Forecasts until everything up to a number is applied."""
        for answer in self.answers:
            if answer.WhichOneof("payload") == "update":
                yield answer.update
            if answer.WhichOneof("payload") == "ack" and answer.ack.applied_through >= through:
                return

    def close(self):
        self.requests.put(None)
        return list(self.answers)

    def cut(self):
        self.answers.cancel()
        self.requests.put(None)


def main(address, model, path):
    whole = series(path)
    values = list(whole.values)
    start = types.Series(series_id="load", axis=whole.axis)
    with grpc.insecure_channel(address) as channel:
        stub = rpc.SessionServiceStub(channel)
        request = service.CreateSessionRequest(
            model=model,
            history=[start],
            spec=types.ForecastSpec(horizon=3),
            emit=service.EmitPolicy(every_observations=1, slow_consumer=service.SLOW_CONSUMER_BLOCK),
        )
        session = stub.CreateSession(request, timeout=10).session
        half = len(values) // 2
        stream = Stream(stub, session.name)
        stream.send(1, values[:half])
        updates = list(stream.forecasts(half))
        stream.cut()

        stream = Stream(stub, session.name)
        resumed = stream.next_sequence
        # A careful client sends again what it is not sure of; the server knows what it has.
        stream.send(half - 9, values[half - 10 :])
        updates += stream.forecasts(len(values))
        updates += [answer.update for answer in stream.close() if answer.WhichOneof("payload") == "update"]
        after = stub.GetSession(service.GetSessionRequest(name=session.name), timeout=10).session
        stub.DeleteSession(service.DeleteSessionRequest(name=session.name), timeout=10)
    last = max(updates, key=lambda update: update.as_of_sequence)
    print(
        json.dumps(
            {
                "resumed": resumed,
                "applied": after.applied_through,
                "as_of": last.as_of_sequence,
                "mean": list(last.result.mean),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
