# SPDX-License-Identifier: Apache-2.0
"""Drives a server through kazoo, from plain calls to recipes.

Usage: kazoo_drive.py HOSTS CASE

Runs one case and prints "ok CASE"; anything else is a failure with its traceback on stderr.
"""

import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
)
from kazoo.protocol.states import EventType
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl


def refused(error, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error:
        return
    raise AssertionError("expected %s" % error.__name__)


def until(check, seconds=15):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def connect(hosts, **options):
    zk = KazooClient(hosts=hosts, **options)
    zk.start(timeout=15)
    return zk


def case_nodes(hosts):
    zk = connect(hosts)
    zk.ensure_path("/k/deep/path")
    assert zk.create("/k/a", b"one") == "/k/a"
    refused(NodeExistsError, zk.create, "/k/a")
    refused(NoNodeError, zk.create, "/k/none/x")
    assert zk.create("/k/none/x", b"", makepath=True) == "/k/none/x"
    data, stat = zk.get("/k/a")
    assert (data, stat.version, stat.data_length, stat.ephemeralOwner) == (b"one", 0, 3, 0)
    assert zk.set("/k/a", b"two", version=0).version == 1
    refused(BadVersionError, zk.set, "/k/a", b"x", version=0)
    assert zk.exists("/k/missing") is None
    children, stat = zk.get_children("/k", include_data=True)
    assert sorted(children) == ["a", "deep", "none"] and stat.children_count == 3
    path, stat = zk.create("/k/with-stat", b"s", include_data=True)
    assert (path, stat.version) == ("/k/with-stat", 0)
    refused(NotEmptyError, zk.delete, "/k")
    zk.delete("/k/a", version=1)
    zk.delete("/k", recursive=True)
    assert zk.exists("/k") is None
    zk.stop()


def case_ephemerals(hosts):
    owner, other = connect(hosts), connect(hosts)
    owner.ensure_path("/e")
    owner.create("/e/mine", b"", ephemeral=True)
    names = [owner.create("/e/s-", b"", ephemeral=True, sequence=True) for _ in range(3)]
    assert names == ["/e/s-%010d" % index for index in (1, 2, 3)]
    assert other.exists("/e/mine").ephemeralOwner == owner.client_id[0]
    owner.stop()
    until(lambda: other.get_children("/e") == [])
    other.stop()


def case_watches(hosts):
    zk, other = connect(hosts), connect(hosts)
    zk.ensure_path("/w")
    events = []
    zk.exists("/w/a", watch=events.append)
    zk.get_children("/w", watch=events.append)
    other.create("/w/a", b"1")
    until(lambda: len(events) == 2)
    assert [event.type for event in events] == [EventType.CREATED, EventType.CHILD]
    zk.get("/w/a", watch=events.append)
    other.set("/w/a", b"2")
    until(lambda: len(events) == 3)
    assert (events[2].type, events[2].path) == (EventType.CHANGED, "/w/a")

    values, lists = [], []
    zk.DataWatch("/w/a", lambda data, stat: values.append(data))
    zk.ChildrenWatch("/w", lambda children: lists.append(sorted(children)))
    for value in (b"3", b"4"):
        other.set("/w/a", value)
        until(lambda: values[-1] == value)
    other.create("/w/b")
    until(lambda: lists[-1] == ["a", "b"])
    other.delete("/w/a")
    until(lambda: values[-1] is None and lists[-1] == ["b"])
    zk.stop()
    other.stop()


def case_transactions(hosts):
    zk = connect(hosts)
    zk.ensure_path("/t")
    transaction = zk.transaction()
    transaction.create("/t/a", b"1")
    transaction.set_data("/t/a", b"2")
    transaction.check("/t/a", version=1)
    transaction.create("/t/s-", sequence=True)
    results = transaction.commit()
    assert results[0] == "/t/a" and results[1].version == 1 and results[3] == "/t/s-0000000001"
    transaction = zk.transaction()
    transaction.create("/t/b")
    transaction.check("/t/a", version=99)
    results = transaction.commit()
    assert isinstance(results[1], BadVersionError)
    assert zk.exists("/t/b") is None
    zk.stop()


def case_acls(hosts):
    owner = connect(hosts, auth_data=[("digest", "user:secret")])
    acl = make_digest_acl("user", "secret", all=True)
    owner.create("/guarded", b"x", acl=[acl])
    assert owner.get_acls("/guarded")[0] == [acl]
    stranger = connect(hosts)
    refused(NoAuthError, stranger.get, "/guarded")
    stranger.add_auth("digest", "user:secret")
    assert stranger.get("/guarded")[0] == b"x"
    owner.set_acls("/guarded", OPEN_ACL_UNSAFE)
    owner.delete("/guarded")
    owner.stop()
    stranger.stop()


def case_lock(hosts):
    clients = [connect(hosts) for _ in range(4)]
    held, order, overlaps = [], [], []

    def work(index):
        for _ in range(5):
            with clients[index].Lock("/lock", "client-%d" % index):
                held.append(index)
                if len(held) != 1:
                    overlaps.append(list(held))
                order.append(index)
                time.sleep(0.002)
                held.remove(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not overlaps, overlaps
    assert sorted(order) == sorted(list(range(4)) * 5)
    first, second = clients[0].Lock("/lock2"), clients[1].Lock("/lock2")
    assert first.acquire() and not second.acquire(blocking=False)
    clients[0].stop()
    assert second.acquire(timeout=15)
    second.release()
    for client in clients[1:]:
        client.stop()


def case_recipes(hosts):
    zk, other = connect(hosts), connect(hosts)
    counter = zk.Counter("/counter")
    other_counter = other.Counter("/counter")
    for _ in range(10):
        counter += 1
        other_counter += 2
    assert counter.value == 30
    queue = zk.Queue("/queue")
    for value in (b"1", b"2", b"3"):
        queue.put(value)
    assert [other.Queue("/queue").get() for _ in range(3)] == [b"1", b"2", b"3"]
    party = zk.Party("/party", "one")
    other_party = other.Party("/party", "two")
    party.join()
    other_party.join()
    assert sorted(party) == ["one", "two"]
    other_party.leave()
    assert list(party) == ["one"]
    led = threading.Event()
    election = zk.Election("/election", "one")
    threading.Thread(target=election.run, args=(led.set,), daemon=True).start()
    assert led.wait(15)
    semaphore = zk.Semaphore("/semaphore", max_leases=2)
    assert semaphore.acquire() and other.Semaphore("/semaphore", max_leases=2).acquire()
    assert not zk.Semaphore("/semaphore", max_leases=2).acquire(blocking=False)
    zk.stop()
    other.stop()


def case_reconnect(hosts):
    """Prints "connected", then waits until the caller has broken the connection and mended it."""
    zk = connect(hosts, timeout=10)
    states = []
    zk.add_listener(states.append)
    zk.ensure_path("/r")
    zk.create("/r/mine", b"", ephemeral=True)
    session = zk.client_id[0]
    events = []
    zk.get_children("/r", watch=events.append)
    print("connected")
    until(lambda: KazooState.SUSPENDED in states, 30)
    until(lambda: states[-1] == KazooState.CONNECTED, 30)
    assert KazooState.LOST not in states
    assert zk.client_id[0] == session
    assert zk.retry(zk.exists, "/r/mine").ephemeralOwner == session
    zk.retry(zk.create, "/r/other")
    until(lambda: len(events) == 1)
    zk.stop()


def case_volume(hosts):
    zk = connect(hosts)
    zk.ensure_path("/v")
    pending = [zk.create_async("/v/n-", b"x" * 100, sequence=True) for _ in range(2000)]
    paths = [result.get(timeout=30) for result in pending]
    assert paths == ["/v/n-%010d" % index for index in range(2000)]
    assert len(zk.get_children("/v")) == 2000
    big = b"b" * 900000
    zk.create("/v/big", big)
    assert zk.get("/v/big")[0] == big
    zk.delete("/v", recursive=True)
    zk.stop()


if __name__ == "__main__":
    name = sys.argv[2]
    globals()["case_" + name](sys.argv[1])
    print("ok", name)
