"""Calls and events as lines of JSON.

A call arrives on standard input as `{"call": name, "with": arguments}`. What leaves on standard output is `{"answer": ..}` or
`{"error": ..}` for every call, in order, and `{"event": ..}` for what happens in between.
"""

import json
import os
import sys
import threading
import traceback

# What libraries print must not mix with the lines: it goes to standard error.
_lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
_lock = threading.Lock()


def _write(line):
    with _lock:
        _lines.write(json.dumps(line) + "\n")
        _lines.flush()


def event(value):
    _write({"event": value})


def answer_calls(calls):
    """Answers until standard input ends, which is when the test ends, in whatever way."""
    for line in sys.stdin:
        call = json.loads(line)
        try:
            _write({"answer": calls[call["call"]](**call["with"])})
        except Exception:
            _write({"error": traceback.format_exc()})
    # Not `sys.exit`: threads of a server or of gRPC must not keep the process alive.
    os._exit(0)
