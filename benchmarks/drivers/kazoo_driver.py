# SPDX-License-Identifier: Apache-2.0
"""Kazoo, pipelined with its asynchronous calls. Answers the verbs of drivers/client-verbs.ts.

With several operations in flight a deque holds the pending results: the main thread waits for the oldest
and issues the next. Chained callbacks (rawlink) pass through one more thread and are slower.
"""
import gc
import json
import sys
import time
import tracemalloc
from collections import deque

from kazoo.client import KazooClient

SAMPLE_EVERY = 16
WATCH_REQUESTS_IN_FLIGHT = 128

zk = None


def listener(event):
    """One watcher for all watches."""


def issuer(command):
    path = command["path"]
    data = b"d" * command["dataBytes"]
    operation = command["operation"]
    if operation == "get":
        return lambda index: zk.get_async(path)
    if operation == "exists":
        return lambda index: zk.exists_async(path)
    if operation == "set":
        return lambda index: zk.set_async(path, data)
    return lambda index: zk.create_async("%s/%d" % (path, index), data)


def closed_loop(issue, in_flight, duration_ms, ops_max):
    """Runs like drivers/meter.ts and answers the same figures."""
    clock = time.perf_counter
    sample_every = 1 if in_flight == 1 else SAMPLE_EVERY
    samples = []
    pending = deque()
    started = 0
    done = 0
    cpu = time.process_time()
    start = clock()
    end = start + duration_ms / 1000.0
    while True:
        while len(pending) < in_flight and started < ops_max and clock() < end:
            begin = clock() if started % sample_every == 0 else 0
            pending.append((issue(started), begin))
            started += 1
        if not pending:
            break
        result, begin = pending.popleft()
        result.get(timeout=30)
        done += 1
        if begin:
            samples.append(clock() - begin)
    elapsed = clock() - start
    cpu = time.process_time() - cpu
    samples.sort()
    pick = lambda share: samples[min(len(samples) - 1, int(len(samples) * share))] * 1e6
    return {
        "ops": done,
        "elapsedMs": elapsed * 1000,
        "cpuUs": cpu * 1e6,
        "p50Us": pick(0.5),
        "p99Us": pick(0.99),
        "maxUs": samples[-1] * 1e6,
    }


def watch_all(paths):
    closed_loop(
        lambda index: zk.exists_async(paths[index], watch=listener),
        WATCH_REQUESTS_IN_FLIGHT,
        60000,
        len(paths),
    )


def watches(command):
    """Python counts its own allocations exactly; collecting first makes two states comparable."""
    paths = ["%s/%d" % (command["parent"], index) for index in range(command["count"])]
    half = len(paths) // 2
    tracemalloc.start()
    watch_all(paths[:half])
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    watch_all(paths[half:])
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {"heapBytesPerWatch": (after - before) / (len(paths) - half)}


def answer(command):
    global zk
    verb = command["verb"]
    if verb == "connect":
        zk = KazooClient(hosts=command["hosts"], timeout=30)
        zk.start(timeout=30)
        return {}
    if verb == "run":
        return closed_loop(issuer(command), command["inFlight"], command["durationMs"], command["opsMax"])
    if verb == "watches":
        return watches(command)
    raise ValueError("unknown verb %s" % verb)


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:
        reply = {"error": repr(error)}
    print(json.dumps(reply), flush=True)
if zk is not None:
    zk.stop()
    zk.close()
