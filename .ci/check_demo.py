"""Checks what `longcast --json demo` left in a folder: the picture, the table, the scores. Standard library only."""

import csv
import json
import pathlib
import struct
import sys
import zlib

HORIZON = 168


def decode_png(data):
    """Width, height and the raw (still filtered) bytes of a PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "forecast.png is not a PNG"
    at, packed, size = 8, b"", None
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body), f"chunk {kind!r} is damaged"
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    return size, zlib.decompress(packed)


def main(folder):
    demo = folder / "longcast-demo"
    left = sorted(path.name for path in demo.iterdir())
    assert left == ["demo.longcast", "forecast.csv", "forecast.png"], f"unexpected files: {left}"

    size, raw = decode_png((demo / "forecast.png").read_bytes())
    assert size == (1200, 675), f"the picture is {size}"
    assert len(set(raw)) > 20, "the picture is blank"

    rows = list(csv.DictReader((demo / "forecast.csv").open()))
    assert len(rows) == HORIZON, f"{len(rows)} rows"
    columns = ["unique_id", "ds", "ar", "ar-lo-80", "ar-hi-80", "ar-lo-95", "ar-hi-95"]
    assert list(rows[0]) == columns, f"columns {list(rows[0])}"
    assert rows[0]["ds"] == "2015-01-01 00:00:00", rows[0]["ds"]
    for row in rows:
        bounds = [float(row[name]) for name in ("ar-lo-95", "ar-lo-80", "ar-hi-80", "ar-hi-95")]
        assert bounds == sorted(bounds), f"bounds cross: {row}"

    scores = json.loads((folder / "demo.json").read_text())["scores"]
    naive, ar = scores["models"].index("seasonal-naive"), scores["models"].index("ar")
    by_metric = {row["metric"]: row["values"] for row in scores["rows"]}
    mase = by_metric["mase"]
    assert mase[ar] < mase[naive], f"AR's MASE {mase[ar]} is not below seasonal naive's {mase[naive]}"
    assert 0.75 <= by_metric["coverage-80"][ar] <= 0.85, by_metric["coverage-80"]
    assert 0.92 <= by_metric["coverage-95"][ar] <= 0.98, by_metric["coverage-95"]
    print(f"demo checked: MASE {mase[ar]:.3f} (seasonal naive {mase[naive]:.3f}), coverage {by_metric['coverage-80'][ar]:.3f} and {by_metric['coverage-95'][ar]:.3f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
