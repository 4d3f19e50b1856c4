# SPDX-License-Identifier: Apache-2.0
"""The wire of the seed's divide service, both ends, written from its description.

A request is a method name and a block of arguments, each behind its length as an unsigned 32-bit number:

    u32 n, n bytes of UTF-8, u32 m, m bytes of arguments; an argument is a u8 sequence number and an i32

A reply is 1 and an f32, or 2 and a text behind its length. All numbers are big-endian.
"""

import struct

RESULT = 1
ERROR = 2


class InvalidOperation(Exception):
    """The caller asked for something that cannot be done; the message crosses the wire."""

    def __init__(self, message=None):
        self.message = message or "invalid operation"
        super().__init__(self.message)


class BlockReader(object):
    """Takes exact numbers of bytes off a socket. Raises EOFError when the peer has closed."""

    def __init__(self, connection):
        self.connection = connection

    def take(self, size):
        parts = []
        while size > 0:
            part = self.connection.recv(size)
            if not part:
                raise EOFError()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def block(self):
        (size,) = struct.unpack("!I", self.take(4))
        return self.take(size)


def with_length(content):
    return struct.pack("!I", len(content)) + content


class DivideProtocol(object):
    """Encodes and decodes divide(num1, num2=1)."""

    NAMES = {1: "num1", 2: "num2"}

    def args_encode(self, num1, num2=1):
        arguments = struct.pack("!Bi", 1, num1)
        if num2 != 1:
            arguments += struct.pack("!Bi", 2, num2)
        return with_length(b"divide") + with_length(arguments)

    def args_decode(self, block):
        values = {}
        for offset in range(0, len(block), 5):
            sequence, value = struct.unpack_from("!Bi", block, offset)
            values[self.NAMES[sequence]] = value
        return values

    def result_encode(self, result):
        if isinstance(result, InvalidOperation):
            return struct.pack("!B", ERROR) + with_length(result.message.encode())
        return struct.pack("!Bf", RESULT, float(result))

    def result_decode(self, reader):
        (kind,) = struct.unpack("!B", reader.take(1))
        if kind == RESULT:
            (value,) = struct.unpack("!f", reader.take(4))
            return value
        raise InvalidOperation(reader.block().decode())


class ServerStub(object):
    """One client's connection at the server."""

    def __init__(self, connection, handlers):
        self.connection = connection
        self.reader = BlockReader(connection)
        self.handlers = handlers
        self.protocol = DivideProtocol()

    def process(self):
        """Answers one call. Raises EOFError when the client has closed."""
        method = self.reader.block().decode()
        arguments = self.reader.block()
        if method != "divide":
            print("unknown method", method)
            return
        try:
            result = self.handlers.divide(**self.protocol.args_decode(arguments))
        except InvalidOperation as error:
            result = error
        self.connection.sendall(self.protocol.result_encode(result))


class ClientStub(object):
    """Calls divide on a connection that the channel gives."""

    def __init__(self, channel):
        self.connection = channel.get_connection()
        self.protocol = DivideProtocol()

    def divide(self, num1, num2=1):
        self.connection.sendall(self.protocol.args_encode(num1, num2))
        return self.protocol.result_decode(BlockReader(self.connection))

    def close(self):
        self.connection.close()
