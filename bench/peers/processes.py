"""Runs whole processes and measures them: wall time and peak memory, for Longcast and its peers by the same means.

A question is a line of JSON {"command": [program, argument, ...], "log": file}; the answer is
{"seconds": wall, "peak_bytes": peak resident memory of that process, "exit_code": code}. Standard output goes
nowhere, standard error to the log. Needs no packages.
"""

import json
import os
import sys
import time


def measure(command, log):
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    # Kibibytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": seconds,
        "peak_bytes": usage.ru_maxrss * unit,
        "exit_code": os.waitstatus_to_exitcode(status),
    }


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(measure(question["command"], question["log"])), flush=True)
