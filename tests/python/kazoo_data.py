# SPDX-License-Identifier: Apache-2.0
"""Kazoo's barriers, counters, queues, parties and partitioner, by commands on stdin.

Usage: kazoo_data.py HOSTS

Every command gives one line that starts with its name; what takes long goes on in a thread and gives its
line when it is done.
"""

import sys
import threading

from kazoo.client import KazooClient

zk = KazooClient(hosts=sys.argv[1])
zk.start(timeout=15)
output = threading.Lock()
objects = {}


def say(*words):
    with output:
        print(*words, flush=True)


def kept(kind, path, *arguments, **named):
    key = (kind, path)
    if key not in objects:
        objects[key] = getattr(zk, kind)(path, *arguments, **named)
    return objects[key]


def later(name, work):
    def run():
        result = work()
        say(name, "" if result is None else result)

    threading.Thread(target=run, daemon=True).start()


def barrier_create(path):
    kept("Barrier", path).create()


def barrier_remove(path):
    return kept("Barrier", path).remove()


def double(path, size):
    return kept("DoubleBarrier", path, int(size))


def counter_add(path, amount):
    counter = kept("Counter", path)
    counter += int(amount)
    return counter.value


def float_add(path, amount):
    counter = kept("Counter", path, default=0.0)
    counter += float(amount)
    return counter.value


def curator_counter_add(path, amount):
    counter = kept("Counter", path, support_curator=True)
    counter += int(amount)
    return counter.value


def counter_many(path, count):
    counter = zk.Counter(path)
    for _ in range(int(count)):
        counter += 1


def queue_put(path, value, priority="100"):
    kept("Queue", path).put(value.encode(), int(priority))


def queue_get(path):
    value = kept("Queue", path).get()
    return "none" if value is None else value.decode()


def locking_put(path, value, priority="100"):
    kept("LockingQueue", path).put(value.encode(), int(priority))


def locking_get(path, seconds="10"):
    value = kept("LockingQueue", path).get(float(seconds))
    return "none" if value is None else value.decode()


def locking_consume(path):
    return kept("LockingQueue", path).consume()


def locking_release(path):
    return kept("LockingQueue", path).release()


def locking_work(path, count):
    queue = zk.LockingQueue(path)
    got = []
    while len(got) < int(count):
        value = queue.get(2)
        if value is None:
            break
        assert queue.consume()
        got.append(value.decode())
    return " ".join(got)


def party_join(kind, path, identifier):
    kept(kind, path, identifier).join()


def party_leave(kind, path):
    kept(kind, path).leave()


def party_list(kind, path):
    return " ".join(sorted(getattr(zk, kind)(path)))


def partition(path, identifier, items):
    def run():
        partitioner = zk.SetPartitioner(
            path, set=tuple(items.split(",")), identifier=identifier, time_boundary=0.3
        )
        while True:
            if partitioner.failed:
                say("partition-failed")
                return
            if partitioner.release:
                say("partition-release")
                partitioner.release_set()
            elif partitioner.acquired:
                say("partition-acquired", ",".join(sorted(partitioner)))
                while partitioner.acquired:
                    partitioner.state_change_event.wait(0.05)
            elif partitioner.allocating:
                partitioner.wait_for_acquire(0.1)

    threading.Thread(target=run, daemon=True).start()


COMMANDS = {
    "barrier-create": barrier_create,
    "barrier-remove": barrier_remove,
    "counter-add": counter_add,
    "float-add": float_add,
    "curator-counter-add": curator_counter_add,
    "queue-put": queue_put,
    "queue-get": queue_get,
    "locking-put": locking_put,
    "locking-get": locking_get,
    "locking-consume": locking_consume,
    "locking-release": locking_release,
    "party-join": party_join,
    "party-leave": party_leave,
    "party-list": party_list,
    "partition": partition,
}

SLOW = {
    "barrier-wait": lambda path: kept("Barrier", path).wait(20),
    "double-enter": lambda path, size: double(path, size).enter(),
    "double-leave": lambda path: objects[("DoubleBarrier", path)].leave(),
    "counter-many": counter_many,
    "locking-work": locking_work,
}

say("connected")
for line in sys.stdin:
    name, *arguments = line.split()
    if name in SLOW:
        later(name, lambda name=name, arguments=arguments: SLOW[name](*arguments))
    else:
        result = COMMANDS[name](*arguments)
        say(name, "" if result is None else result)
zk.stop()
