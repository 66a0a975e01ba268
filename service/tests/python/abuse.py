"""Misbehaves over raw HTTP/2, while a well-behaved client goes on asking.

    abuse.py ADDRESS PID

Each kind of abuse runs for a bounded number of steps. After each, the health service has to say SERVING over a fresh
connection, and the process may not have grown beyond a bound in memory or descriptors. Prints one JSON object.
"""

import json
import os
import socket
import struct
import sys
import threading
import time

import grpc
import h2.config
import h2.connection
import h2.exceptions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from longcast.v1 import forecast_service_pb2 as pb
from longcast.v1 import forecast_service_pb2_grpc, types_pb2

FORECAST = "/longcast.v1.ForecastService/Forecast"
HOUR = 3_600_000_000_000
SECONDS = 30


class Peer:
    """A connection that speaks HTTP/2 as badly as it is told to."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = address
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def headers(self, extra=()):
        return [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", FORECAST),
            (":authority", self.address),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *extra,
        ]

    def begin(self, extra=(), end=False):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, self.headers(extra), end_stream=end)
        self.flush()
        return stream

    def drain(self, seconds=0.0):
        """Reads what is there, so that the peer's limits are learned; says whether the connection is open."""
        self.socket.settimeout(seconds or 0.001)
        try:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    return False
                for event in self.h2.receive_data(data):
                    if type(event).__name__ == "ConnectionTerminated":
                        return False
                self.flush()
        except (socket.timeout, TimeoutError):
            return True
        except (OSError, h2.exceptions.ProtocolError):
            return False
        finally:
            try:
                self.socket.settimeout(10)
            except OSError:
                pass

    def close(self):
        self.socket.close()


def rapid_reset(address):
    """Streams that are opened and reset at once, until the server has had enough."""
    n = 0
    for _ in range(5):
        peer = Peer(address)
        peer.drain(0.05)
        try:
            for _ in range(2000):
                stream = peer.begin()
                peer.h2.reset_stream(stream)
                peer.flush()
                n += 1
        except (OSError, h2.exceptions.ProtocolError):
            pass
        peer.close()
    return n


def endless_headers(address):
    """A header block that never ends, in CONTINUATION frames."""
    peer = Peer(address)
    peer.drain(0.05)
    sent = 0
    block = b"\x00\x04junk\x7f\x81\x7f" + b"x" * 256
    try:
        peer.socket.sendall(struct.pack(">I", len(block))[1:] + b"\x01\x00" + struct.pack(">I", 1) + block)
        for _ in range(20_000):
            part = b"x" * 1024
            peer.socket.sendall(struct.pack(">I", len(part))[1:] + b"\x09\x00" + struct.pack(">I", 1) + part)
            sent += len(part)
    except OSError:
        pass
    peer.close()
    return sent


def many_headers(address):
    """More header fields than the server takes."""
    peer = Peer(address)
    peer.drain(0.05)
    try:
        for _ in range(20):
            peer.begin([(f"x-{i}", "v" * 100) for i in range(1000)], end=True)
        peer.drain(0.2)
    except (OSError, h2.exceptions.ProtocolError):
        pass
    peer.close()
    return 20


def long_prefix(address):
    """Messages that claim to have four gigabytes."""
    n = 0
    for _ in range(50):
        peer = Peer(address)
        peer.drain(0.02)
        try:
            stream = peer.begin()
            peer.h2.send_data(stream, b"\x00\xff\xff\xff\xff" + b"\x01" * 100)
            peer.flush()
            peer.drain(0.02)
            n += 1
        except (OSError, h2.exceptions.ProtocolError):
            pass
        peer.close()
    return n


def slow_readers(address):
    """Clients that ask for long answers and never read one."""
    spec = types_pb2.ForecastSpec(horizon=20_000)
    axis = types_pb2.TimeAxis(regular=types_pb2.RegularAxis(start_unix_nano=0, step_nano=HOUR))
    series = types_pb2.Series(series_id="a", axis=axis, values=[float(i % 24) for i in range(200)])
    message = pb.ForecastRequest(series=series, spec=spec).SerializeToString()
    framed = b"\x00" + struct.pack(">I", len(message)) + message
    peers = []
    for _ in range(20):
        peer = Peer(address)
        peer.drain(0.02)
        for _ in range(20):
            stream = peer.begin()
            peer.h2.send_data(stream, framed, end_stream=True)
        peer.flush()
        peers.append(peer)
    time.sleep(1)
    for peer in peers:
        peer.close()
    return len(peers)


def half_open(address):
    """Connections that say nothing, half a greeting, or a greeting and no more."""
    host, port = address.rsplit(":", 1)
    sockets = []
    for i in range(400):
        try:
            connection = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            break
        if i % 3 == 1:
            connection.sendall(b"PRI * HTTP/2.0\r\n")
        if i % 3 == 2:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        sockets.append(connection)
    return sockets


def cancels(address, request):
    """Ten thousand calls that are given up."""
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = forecast_service_pb2_grpc.ForecastServiceStub(channel)
        for _ in range(10_000):
            stub.Forecast.future(request, timeout=SECONDS).cancel()
        # The channel is still good for a call that is not.
        stub.Forecast(request, timeout=SECONDS)
    return 10_000


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) // 1024


def main(address, pid):
    axis = types_pb2.TimeAxis(regular=types_pb2.RegularAxis(start_unix_nano=0, step_nano=HOUR))
    series = types_pb2.Series(series_id="good", axis=axis, values=[float(i % 24) for i in range(200)])
    request = pb.ForecastRequest(series=series, spec=types_pb2.ForecastSpec(horizon=24))
    over, served, asked_to_wait, failed = threading.Event(), [0], [0], []

    def well_behaved():
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = forecast_service_pb2_grpc.ForecastServiceStub(channel)
            while not over.is_set():
                try:
                    stub.Forecast(request, timeout=SECONDS)
                    served[0] += 1
                except grpc.RpcError as error:
                    # Who is told when to come again comes again then.
                    hint = dict(error.trailing_metadata() or ()).get("grpc-retry-pushback-ms")
                    if error.code() == grpc.StatusCode.UNAVAILABLE and hint is not None:
                        asked_to_wait[0] += 1
                        time.sleep(int(hint) / 1000)
                    else:
                        failed.append(f"{error.code().name}: {error.details()}")
                time.sleep(0.002)

    other = threading.Thread(target=well_behaved)
    other.start()
    report = {"before": {"mib": resident_mib(pid), "descriptors": descriptors(pid)}, "after": {}}
    held = []
    abuses = [
        ("rapid_reset", lambda: rapid_reset(address)),
        ("endless_headers", lambda: endless_headers(address)),
        ("many_headers", lambda: many_headers(address)),
        ("long_prefix", lambda: long_prefix(address)),
        ("slow_readers", lambda: slow_readers(address)),
        ("half_open", lambda: held.extend(half_open(address)) or len(held)),
        ("cancels", lambda: cancels(address, request)),
    ]
    for name, abuse in abuses:
        before = served[0]
        steps = abuse()
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS).status
        report["after"][name] = {
            "steps": steps,
            "health": health_pb2.HealthCheckResponse.ServingStatus.Name(status),
            "mib": resident_mib(pid),
            "descriptors": descriptors(pid),
            "served": served[0] - before,
        }
    for connection in held:
        connection.close()
    over.set()
    other.join()
    time.sleep(0.5)
    report["end"] = {"mib": resident_mib(pid), "descriptors": descriptors(pid), "served": served[0], "asked_to_wait": asked_to_wait[0], "failed": failed[:5]}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
