"""A client of HTTP/2 that sends what it is told, frame by frame, sound or not: for the scripts beside it."""

import socket
import ssl
import struct
import time

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 0x20
NO_ERROR, PROTOCOL, INTERNAL, FLOW, SETTINGS_TIMEOUT, STREAM_CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
CALM = 11
# No answer takes longer.
PATIENCE = 20


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in pairs))


class Closed(Exception):
    """The other side has closed the connection."""


class Connection:
    def __init__(self, address, authority, *, host="app.example", begin=True, first=(), patience=PATIENCE):
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(address, timeout=patience)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname=host)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.host = host
        self.buffer = b""
        self.decoder, self.encoder = Decoder(), Encoder()
        self.settings = {}
        self.next = 1
        if begin:
            self.send(PREFACE + settings(*first))
            self.settle()

    def settle(self):
        """Until the settings of both sides are known to both."""
        wanted = {"theirs", "ack"}
        while wanted:
            kind, flags, _, payload = self.read()
            if kind == SETTINGS and flags & ACK:
                wanted.discard("ack")
            elif kind == SETTINGS:
                self.settings = dict(struct.unpack(">HI", payload[at : at + 6]) for at in range(0, len(payload), 6))
                self.send(frame(SETTINGS, ACK))
                wanted.discard("theirs")

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            # Closed already: what it said before is still to be read.
            pass

    def read(self):
        head = self.exactly(9)
        length = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, self.exactly(length)

    def exactly(self, count):
        while len(self.buffer) < count:
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed from error
            if not piece:
                raise Closed
            self.buffer += piece
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def head(self, *more, method="GET", path="/x", scheme="https", drop=(), authority=None):
        fields = [(":method", method), (":scheme", scheme), (":authority", authority or self.host), (":path", path)]
        return [field for field in fields if field[0] not in drop] + list(more)

    def block(self, fields):
        # Every field as a literal that is not indexed: what was broken on purpose leaves no trace in the tables.
        return b"".join(literal(name, value) for name, value in fields)

    def request(self, fields=None, flags=END_STREAM | END_HEADERS, stream=None):
        """Sends HEADERS on a new stream."""
        if stream is None:
            stream, self.next = self.next, self.next + 2
        self.send(frame(HEADERS, flags, stream, self.block(self.head() if fields is None else fields)))
        return stream

    def events(self):
        """What comes, as tuples, until the connection closes."""
        try:
            while True:
                kind, flags, stream, payload = self.read()
                if kind == HEADERS:
                    fields = self.decoder.decode(payload, raw=True)
                    yield "headers", stream, {bytes(name).decode(): bytes(value).decode("latin-1") for name, value in fields}
                    if flags & END_STREAM:
                        yield "end", stream, None
                elif kind == DATA:
                    yield "data", stream, payload
                    if payload:
                        update = struct.pack(">I", len(payload))
                        self.send(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, stream, update))
                    if flags & END_STREAM:
                        yield "end", stream, None
                elif kind == RST_STREAM:
                    yield "reset", stream, int.from_bytes(payload, "big")
                elif kind == GOAWAY:
                    yield "goaway", 0, int.from_bytes(payload[4:8], "big")
                elif kind == PING:
                    yield "ping" if not flags & ACK else "pong", 0, payload
                elif kind == SETTINGS:
                    yield "settings" if not flags & ACK else "ack", 0, payload
        except Closed:
            yield "closed", 0, None

    def answer(self, stream):
        """The whole answer to a request: status, fields, body; or how it ended instead."""
        status, fields, body = None, {}, b""
        for what, of, value in self.events():
            if what == "headers" and of == stream and status is None:
                status, fields = int(value[":status"]), value
            elif what == "data" and of == stream:
                body += value
            elif what == "end" and of == stream:
                return {"status": status, "fields": fields, "body": body.decode("latin-1")}
            elif what == "reset" and of == stream:
                if status is not None and value == NO_ERROR:
                    return {"status": status, "fields": fields, "body": body.decode("latin-1")}
                return {"reset": value, "status": status}
            elif what == "goaway" and value != NO_ERROR:
                return {"goaway": value}
            elif what == "closed":
                return {"closed": True}
        return {}

    def close(self):
        self.socket.close()


def integer(value, bits, first=0):
    """RFC 7541, section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def literal(name, value, kind=0x00, bits=4):
    name = name if isinstance(name, bytes) else name.encode("latin-1")
    value = value if isinstance(value, bytes) else value.encode("latin-1")
    return integer(0, bits, kind) + integer(len(name), 7) + name + integer(len(value), 7) + value


def wait(seconds, connection):
    """What comes within a while."""
    connection.socket.settimeout(seconds)
    seen, until = [], time.monotonic() + seconds
    try:
        for event in connection.events():
            seen.append(event)
            if time.monotonic() > until or event[0] == "closed":
                break
    except TimeoutError:
        pass
    connection.socket.settimeout(PATIENCE)
    return seen
