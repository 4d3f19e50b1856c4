# SPDX-License-Identifier: Apache-2.0
"""Kazoo's recipes. Answers the verbs of drivers/recipe-verbs.ts."""
import json
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.recipe.cache import TreeCache, TreeEvent

clock = time.perf_counter
zk = None
cache = None
led = []


def result(samples, ops, elapsed, cpu):
    samples.sort()
    pick = lambda share: samples[min(len(samples) - 1, int(len(samples) * share))] * 1e6
    return {
        "ops": ops,
        "elapsedMs": elapsed * 1000,
        "cpuUs": cpu * 1e6,
        "p50Us": pick(0.5),
        "p99Us": pick(0.99),
    }


def closed_loop(operation, duration_ms):
    samples = []
    cpu = time.process_time()
    start = clock()
    end = start + duration_ms / 1000.0
    while clock() < end:
        begin = clock()
        operation()
        samples.append(clock() - begin)
    return result(samples, len(samples), clock() - start, time.process_time() - cpu)


def lock(command):
    mutex = zk.Lock(command["path"])

    def operation():
        mutex.acquire()
        mutex.release()

    return closed_loop(operation, command["durationMs"])


def contend(command):
    samples = []
    released = [0.0]
    cpu = time.process_time()
    start = clock()
    end = start + command["durationMs"] / 1000.0

    def contender():
        mutex = zk.Lock(command["path"])
        while clock() < end:
            mutex.acquire()
            if released[0]:
                samples.append(clock() - released[0])
            released[0] = clock()
            mutex.release()

    threads = [threading.Thread(target=contender) for _ in range(command["contenders"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result(samples, len(samples) + 1, clock() - start, time.process_time() - cpu)


def lead(command):
    leading = threading.Event()

    def lead_on():
        leading.set()
        threading.Event().wait()

    election = zk.Election(command["path"])
    thread = threading.Thread(target=election.run, args=(lead_on,), daemon=True)
    thread.start()
    led.append(thread)
    leading.wait()
    return {}


def open_cache(command):
    global cache
    ready = threading.Event()
    cpu = time.process_time()
    start = clock()
    cache = TreeCache(zk, command["path"])
    cache.listen(lambda event: event.event_type == TreeEvent.INITIALIZED and ready.set())
    cache.start()
    if not ready.wait(command["timeoutMs"] / 1000.0):
        raise RuntimeError("the cache was not whole within %d s" % (command["timeoutMs"] / 1000))
    return {"startMs": (clock() - start) * 1000, "startCpuMs": (time.process_time() - cpu) * 1000}


def change(command):
    path = command["path"]
    told = threading.Event()
    count = [0]

    def listener(event):
        if event.event_type == TreeEvent.NODE_UPDATED and event.event_data.path == path:
            told.set()

    cache.listen(listener)

    def operation():
        told.clear()
        count[0] += 1
        zk.set(path, b"%d" % count[0])
        told.wait()

    return closed_loop(operation, command["durationMs"])


def connect(command):
    global zk
    zk = KazooClient(hosts=command["hosts"], timeout=command["sessionTimeoutMs"] / 1000.0)
    zk.start(timeout=30)
    return {}


VERBS = {
    "connect": connect,
    "lock": lock,
    "contend": contend,
    "lead": lead,
    "cache": open_cache,
    "change": change,
}

for line in sys.stdin:
    try:
        command = json.loads(line)
        reply = VERBS[command["verb"]](command)
    except Exception as error:
        reply = {"error": repr(error)}
    print(json.dumps(reply), flush=True)
if zk is not None and not led:
    zk.stop()
    zk.close()
