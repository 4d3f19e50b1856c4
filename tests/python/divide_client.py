# SPDX-License-Identifier: Apache-2.0
"""The seed's client: finds servers under /rpc, follows changes, calls a random one each time.

Usage: divide_client.py HOSTS

Reads commands from stdin, one a line, and answers each with one line of JSON:
    divide NUM1 NUM2   {"server": PORT, "result": X} or {"server": PORT, "error": TEXT}
    servers            {"servers": [PORT, ...]}, sorted, as the watch left it
"""

import json
import random
import socket
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from divide_rpc import ClientStub, InvalidOperation


class DistributedChannel(object):
    def __init__(self, hosts):
        self.server = None
        self._servers = []
        self._zk = KazooClient(hosts=hosts)
        self._zk.start()
        self._zk.ensure_path("/rpc")
        self._get_servers()

    def _get_servers(self, event=None):
        servers = []
        for name in self._zk.get_children("/rpc", watch=self._get_servers):
            try:
                data = self._zk.get("/rpc/" + name)[0]
            except NoNodeError:
                continue
            if data:
                servers.append(json.loads(data.decode()))
        self._servers = servers

    def servers(self):
        return sorted(server["port"] for server in self._servers)

    def get_connection(self):
        while True:
            if not self._servers:
                time.sleep(0.01)
                continue
            self.server = random.choice(self._servers)
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                connection.connect((self.server["host"], self.server["port"]))
            except ConnectionRefusedError:
                connection.close()
                time.sleep(0.05)
                continue
            return connection


def answer(channel, command, *arguments):
    if command == "servers":
        return {"servers": channel.servers()}
    stub = ClientStub(channel)
    try:
        reply = {"result": stub.divide(*(int(argument) for argument in arguments))}
    except InvalidOperation as error:
        reply = {"error": error.message}
    finally:
        stub.close()
    reply["server"] = channel.server["port"]
    return reply


def main(hosts):
    channel = DistributedChannel(hosts)
    print("ready")
    for line in sys.stdin:
        print(json.dumps(answer(channel, *line.split())))


if __name__ == "__main__":
    main(sys.argv[1])
