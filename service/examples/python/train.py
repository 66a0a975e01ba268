"""Uploads a file, trains a model on the server and waits for its revision: python train.py ADDRESS MODEL FILE.csv

Prints one JSON document.
"""

import hashlib
import json
import sys

import stubs  # noqa: F401

import grpc
from longcast.v1 import training_service_pb2 as service
from longcast.v1 import training_service_pb2_grpc as rpc

CHUNK = 256 << 10


def crc32c(data):
    """CRC-32C, bit by bit; a package such as google-crc32c is faster."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def upload(name, data):
    digest = hashlib.sha256(data).digest()
    header = service.DatasetHeader(dataset_id=name, file_format="csv", size_bytes=len(data), sha256=digest)
    yield service.UploadDatasetRequest(header=header)
    for offset in range(0, len(data), CHUNK):
        part = data[offset : offset + CHUNK]
        chunk = service.DatasetChunk(offset=offset, data=part, crc32c=crc32c(part))
        yield service.UploadDatasetRequest(file_chunk=chunk)


def main(address, model, path):
    with open(path, "rb") as file:
        data = file.read()
    with grpc.insecure_channel(address) as channel:
        stub = rpc.TrainingServiceStub(channel)
        stored = stub.UploadDataset(upload("example", data), timeout=60).stored
        spec = service.TrainingSpec(family="ar", settings={"order": "24"}, horizon=24)
        request = service.CreateTrainingJobRequest(
            model=model, dataset=stored.name, spec=spec, request_id="example-1", make_default=True
        )
        job = stub.CreateTrainingJob(request, timeout=10).training_job
        # The same request again is the same job, whatever happened to the first answer.
        again = stub.CreateTrainingJob(request, timeout=10).training_job
        seen = []
        for event in stub.WatchTrainingJob(service.WatchTrainingJobRequest(name=job.name), timeout=120):
            seen.append(event.event)
            job = event.training_job
    print(
        json.dumps(
            {
                "job": job.name,
                "again": again.name,
                "state": service.JobState.Name(job.state),
                "revision": job.model_revision,
                "events": seen,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
