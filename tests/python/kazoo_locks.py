# SPDX-License-Identifier: Apache-2.0
"""Kazoo's locks, semaphores and elections by commands on stdin, one answer a line on stdout.

Usage: kazoo_locks.py HOSTS
"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout


def turn(zk, kind, path):
    """KIND is lock, aware, write, read, election or semaphore:N."""
    if kind.startswith("semaphore:"):
        return zk.Semaphore(path, "kazoo", max_leases=int(kind[10:]))
    if kind == "lock":
        return zk.Lock(path, "kazoo")
    if kind == "aware":
        return zk.Lock(path, "kazoo", extra_lock_patterns=["-lock-"])
    if kind == "write":
        return zk.WriteLock(path, "kazoo")
    if kind == "read":
        return zk.ReadLock(path, "kazoo")
    if kind == "election":
        return zk.Election(path, "kazoo").lock
    raise ValueError(kind)


def say(line):
    print(line, flush=True)


def acquire(wanted, seconds):
    try:
        return wanted.acquire(timeout=seconds)
    except LockTimeout:
        return False


def hammer(zk, kind, path, rounds):
    """Takes its turn again and again; children of /inside show who is in at a time."""
    violations = 0
    for _ in range(rounds):
        wanted = turn(zk, kind, path)
        assert acquire(wanted, 60), "waited in vain"
        mark = zk.create("/inside/" + ("r-" if kind == "read" else "x-"), ephemeral=True, sequence=True)
        inside = zk.get_children("/inside")
        alone = [name for name in inside if name.startswith("x-")]
        if kind == "read":
            fits = not alone
        elif kind.startswith("semaphore:"):
            fits = len(inside) <= int(kind[10:])
        else:
            fits = len(inside) == 1
        if not fits:
            violations += 1
        zk.delete(mark)
        wanted.release()
    say("hammered %d violations %d" % (rounds, violations))


def main(hosts):
    zk = KazooClient(hosts=hosts)
    zk.start(timeout=15)
    say("connected")
    held = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "hold":
            held = turn(zk, words[1], words[2])
            say("held" if acquire(held, 60) else "busy")
        elif words[0] == "try":
            wanted = turn(zk, words[1], words[2])
            granted = acquire(wanted, int(words[3]) / 1000)
            if granted:
                held = wanted
            say("held" if granted else "busy")
        elif words[0] == "release":
            held.release()
            say("released")
        elif words[0] == "hammer":
            hammer(zk, words[1], words[2], int(words[3]))
        elif words[0] == "contenders":
            say("contenders " + " ".join(turn(zk, words[1], words[2]).contenders()))
        else:
            say("unknown command " + line)
    zk.stop()


main(sys.argv[1])
