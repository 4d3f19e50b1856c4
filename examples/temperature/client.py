# SPDX-License-Identifier: Apache-2.0
import json
import os
import random
import socket
import struct

from kazoo.client import KazooClient

ROOT = "/services/temperature"

zookeeper = KazooClient(hosts=os.environ.get("MEERKAT_ZOOKEEPER", "127.0.0.1:2181"))
zookeeper.start()
data, _ = zookeeper.get(ROOT + "/" + random.choice(zookeeper.get_children(ROOT)))
zookeeper.stop()
server = json.loads(data.decode())


def call(method, *arguments):
    block = b"".join(struct.pack("!Bi", seq, value) for seq, value in enumerate(arguments, 1))
    name = method.encode()
    with socket.create_connection((server["host"], server["port"])) as connection:
        connection.sendall(struct.pack("!I", len(name)) + name + struct.pack("!I", len(block)) + block)
        reply = connection.makefile("rb")
        if reply.read(1) == b"\x01":
            return struct.unpack("!f", reply.read(4))[0]
        (length,) = struct.unpack("!I", reply.read(4))
        raise RuntimeError(reply.read(length).decode())


print(call("toFahrenheit", 100))
try:
    call("toFahrenheit", -300)
except RuntimeError as error:
    print(error)
