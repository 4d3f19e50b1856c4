# SPDX-License-Identifier: Apache-2.0
"""The seed's server: registers itself under /rpc and answers every client in a thread.

Usage: divide_server.py HOST PORT HOSTS [SESSION_SECONDS]

Prints "listening PORT" when it serves and is registered (PORT 0 picks one).
"""

import json
import socket
import sys
import threading

from kazoo.client import KazooClient

from divide_rpc import InvalidOperation, ServerStub


class ThreadServer(object):
    def __init__(self, host, port, hosts, handlers, session_seconds=10.0):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.host = host
        self.port = self.sock.getsockname()[1]
        self.hosts = hosts
        self.handlers = handlers
        self.session_seconds = session_seconds

    def serve(self):
        self.sock.listen(128)
        self.register_zk()
        print("listening", self.port)
        while True:
            connection, _ = self.sock.accept()
            threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection):
        stub = ServerStub(connection, self.handlers)
        try:
            while True:
                stub.process()
        except (EOFError, ConnectionError):
            connection.close()

    def register_zk(self):
        self.zk = KazooClient(hosts=self.hosts, timeout=self.session_seconds)
        self.zk.start()
        self.zk.ensure_path("/rpc")
        value = json.dumps({"host": self.host, "port": self.port})
        path = self.zk.create("/rpc/server", value.encode(), ephemeral=True, sequence=True)
        print("registered", path)


class Handlers:
    @staticmethod
    def divide(num1, num2=1):
        if num2 == 0:
            raise InvalidOperation("python: division by zero")
        return num1 / num2


if __name__ == "__main__":
    options = [float(argument) for argument in sys.argv[4:5]]
    ThreadServer(sys.argv[1], int(sys.argv[2]), sys.argv[3], Handlers, *options).serve()
