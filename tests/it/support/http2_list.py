"""What a server of HTTP/2 must do, section by section of RFC 9113 and RFC 7541, after the list of h2spec.

Arguments: host, port, authority. One line of JSON for each case: its name, what was expected, what happened."""

import json
import struct
import sys

from frames import *

ADDRESS, AUTHORITY = (sys.argv[1], int(sys.argv[2])), sys.argv[3]
CASES = []
END = END_STREAM | END_HEADERS
WORD = struct.Struct(">I").pack

def connection(*codes):
    return ("connection", codes)


def stream(*codes):
    return ("stream", codes)


OK = ("answered", 1)


def judge(link, expected):
    """Whether what comes is what was expected, and what came."""
    kind, what = expected
    seen = []
    for event in link.events():
        seen.append(f"{event[0]} {event[1]} {event[2] if event[0] in ('reset', 'goaway') else ''}".strip())
        name, of, value = event
        # As h2spec has it: who closes the connection has done no less than to say why.
        if name == "closed":
            return kind in ("connection", "stream") or what == "closed", seen
        if kind in ("connection", "stream") and name == "goaway" and value != NO_ERROR:
            return value in what, seen
        if kind == "stream" and name == "reset":
            return value in what, seen
        if kind == "stream" and name == "headers" and value[":status"] in ("400", "431"):
            return True, seen
        if kind == "stream" and name == "headers":
            return False, seen
        if kind == "answered":
            if name == "end" and of == what:
                return True, seen
            if name in ("reset", "goaway"):
                return False, seen
        if kind == "event" and name == what:
            return True, seen
        if kind == "event" and what != "closed" and name in ("reset", "goaway"):
            return False, seen
        if kind == "data" and name == "data":
            return len(value) == what, seen
        if kind == "status" and name == "headers":
            return value[":status"] == what, seen
    return False, seen


def ping(link):
    link.send(frame(PING, 0, 0, b"whatever"))


PONG = ("event", "pong")


def then_ping(send):
    def both(link):
        send(link)
        ping(link)

    return both


def add(name, expected, send, first=()):
    CASES.append((name, expected, first, send))


def raw(*frames):
    return lambda link: link.send(b"".join(frames))


def with_block(build):
    """Frames that are built with the block of an ordinary head."""
    return lambda link: link.send(build(link.block(link.head())))


def fields(*more, **what):
    return lambda link: link.request(link.head(*more, **what))


def plain(fields_of):
    """A request with just these fields."""
    return lambda link: link.request(fields_of(link.host))


POST = END_HEADERS

# generic/1, 2: a connection and its streams
add("generic 1: a connection begins with settings", OK, lambda link: link.request())
add("generic 2: a half-closed stream accepts WINDOW_UPDATE", OK, lambda link: (link.request(), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(100)))))
add("generic 2: a half-closed stream accepts PRIORITY", OK, lambda link: (link.request(), link.send(frame(PRIORITY, 0, 1, WORD(0) + b"\x0f"))))
add("generic 2: an idle stream accepts PRIORITY", OK, lambda link: (link.send(frame(PRIORITY, 0, 1, WORD(0) + b"\x0f")), link.request()))
add("generic 2: a closed stream accepts PRIORITY", PONG, lambda link: (link.request(), link.answer(1), link.send(frame(PRIORITY, 0, 1, WORD(0) + b"\x0f")), ping(link)))
add("generic 2: a closed stream accepts WINDOW_UPDATE", PONG, lambda link: (link.request(), link.answer(1), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(1))), ping(link)))
add("generic 2: a closed stream accepts RST_STREAM", PONG, lambda link: (link.request(), link.answer(1), link.send(frame(RST_STREAM, 0, 1, WORD(CANCEL))), ping(link)))
add("generic 2: many streams at once", ("answered", 99), lambda link: [link.request() for _ in range(50)])


def body(*frames, method="POST"):
    """A request with a body in these frames."""
    return lambda link: (link.request(link.head(method=method), POST), link.send(b"".join(frames)))


# generic/3: each kind of frame
add("generic 3.1: DATA", OK, body(frame(DATA, END_STREAM, 1, b"test")))
add("generic 3.1: several DATA", OK, body(frame(DATA, 0, 1, b"test"), frame(DATA, END_STREAM, 1, b"test")))
add("generic 3.1: empty DATA at the end", OK, body(frame(DATA, 0, 1, b"test"), frame(DATA, END_STREAM, 1)))
add("generic 3.1: DATA with padding", OK, body(frame(DATA, END_STREAM | PADDED, 1, b"\x06test" + b"\0" * 6)))
add("generic 3.2: HEADERS", OK, lambda link: link.request())
add("generic 3.2: HEADERS with padding", OK, with_block(lambda block: frame(HEADERS, END | PADDED, 1, b"\x06" + block + b"\0" * 6)))
add("generic 3.2: HEADERS with priority", OK, with_block(lambda block: frame(HEADERS, END | HAS_PRIORITY, 1, WORD(0) + b"\xff" + block)))
add("generic 3.2: HEADERS with both", OK, with_block(lambda block: frame(HEADERS, END | PADDED | HAS_PRIORITY, 1, b"\x06" + WORD(0) + b"\xff" + block + b"\0" * 6)))
for weight in (1, 256):
    add(f"generic 3.3: PRIORITY with weight {weight}", OK, lambda link, weight=weight: (link.send(frame(PRIORITY, 0, 1, WORD(0) + bytes([weight - 1]))), link.request()))
add("generic 3.3: PRIORITY with a dependency", OK, lambda link: (link.send(frame(PRIORITY, 0, 3, WORD(1) + b"\xff")), link.request()))
add("generic 3.3: PRIORITY that is exclusive", OK, lambda link: (link.send(frame(PRIORITY, 0, 3, WORD(0x80000001) + b"\xff")), link.request()))
add("generic 3.3: PRIORITY of a later stream, then a request", OK, lambda link: (link.send(frame(PRIORITY, 0, 5, WORD(3) + b"\xff")), link.request()))
add("generic 3.4: RST_STREAM", PONG, lambda link: (link.request(link.head(), POST), link.send(frame(RST_STREAM, 0, 1, WORD(CANCEL))), ping(link)))
add("generic 3.5: SETTINGS", ("event", "ack"), raw(settings((3, 100))))
add("generic 3.7: PING", PONG, ping)
add("generic 3.8: GOAWAY", ("event", "closed"), raw(frame(GOAWAY, 0, 0, WORD(0) + WORD(0))))
add("generic 3.9: WINDOW_UPDATE of the connection", OK, lambda link: (link.send(frame(WINDOW_UPDATE, 0, 0, WORD(1))), link.request()))
add("generic 3.9: WINDOW_UPDATE of a stream", OK, lambda link: (link.request(link.head(), POST), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(1)) + frame(DATA, END_STREAM, 1))))
add("generic 3.10: CONTINUATION", OK, with_block(lambda block: frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:])))
add("generic 3.10: several CONTINUATION", OK, with_block(lambda block: frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, 0, 1, block[9:20]) + frame(CONTINUATION, END_HEADERS, 1, block[20:])))
add("generic 3.10: CONTINUATION of nothing", OK, with_block(lambda block: frame(HEADERS, END_STREAM, 1, block) + frame(CONTINUATION, END_HEADERS, 1)))

# generic/4: messages
add("generic 4: GET", OK, lambda link: link.request())
add("generic 4: HEAD", OK, fields(method="HEAD"))
add("generic 4: POST", OK, body(frame(DATA, END_STREAM, 1, b"test")))
add("generic 4: POST with trailers", OK, lambda link: (link.request(link.head(method="POST"), POST), link.send(frame(DATA, 0, 1, b"test") + frame(HEADERS, END, 1, literal("x-test", "ok")))))
add("generic 4: OPTIONS", OK, fields(method="OPTIONS"))


def packed(build):
    """An ordinary head and one field in another representation."""
    return lambda link: link.send(frame(HEADERS, END, 1, link.block(link.head()) + build))


# generic/5: HPACK's representations
add("generic 5: an indexed field", OK, lambda link: link.send(frame(HEADERS, END, 1, b"\x82\x87" + link.block(link.head(drop=(":method", ":scheme"))))))
add("generic 5: indexed with an incremental literal", OK, packed(b"\x40\x0acustom-key\x0dcustom-header"))
add("generic 5: incremental with an indexed name", OK, packed(b"\x58\x08no-cache"))
add("generic 5: not indexed, with an indexed name", OK, packed(b"\x0f\x09\x08no-cache"))
add("generic 5: not indexed, with a new name", OK, packed(literal("x-test", "1")))
add("generic 5: never indexed, with an indexed name", OK, packed(b"\x1f\x08\x06secret"))
add("generic 5: never indexed, with a new name", OK, packed(b"\x10\x08password\x06secret"))
add("generic 5: Huffman", OK, packed(b"\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"))
add("generic 5: the dynamic table", ("answered", 3), lambda link: (link.send(frame(HEADERS, END, 1, link.block(link.head()) + b"\x40\x0acustom-key\x0dcustom-header")), link.send(frame(HEADERS, END, 3, link.block(link.head()) + b"\xbe"))))
add("generic 5: a table size update", OK, lambda link: link.send(frame(HEADERS, END, 1, b"\x20" + link.block(link.head()))))
add("generic 5: two table size updates", OK, lambda link: link.send(frame(HEADERS, END, 1, b"\x20" + integer(4096, 5, 0x20) + link.block(link.head()))))

# hpack
PACK = connection(COMPRESSION)
add("hpack 2.3.3: an index beyond the tables", PACK, packed(integer(70, 7, 0x80)))
add("hpack 2.3.3: a name's index beyond the tables", PACK, packed(integer(70, 6, 0x40) + b"\x05empty"))
add("hpack 4.2: a table size update at the end", PACK, packed(b"\x20"))
add("hpack 5.1: an integer that does not end", PACK, packed(b"\xff" + b"\xff" * 12))
add("hpack 5.2: padding of more than 7 bits", PACK, packed(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"))
add("hpack 5.2: padding that is not of ones", PACK, packed(b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"))
add("hpack 5.2: the end of string inside", PACK, packed(b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"))
add("hpack 5.2: a string longer than the block", PACK, packed(b"\x00\x7f\x7fabc"))
add("hpack 6.1: index 0", PACK, packed(b"\x80"))
add("hpack 6.3: a table larger than allowed", PACK, lambda link: link.send(frame(HEADERS, END, 1, integer(4097, 5, 0x20) + link.block(link.head()))))

# http2/4: frames
add("http2 4.1: an unknown kind of frame", PONG, then_ping(raw(frame(0xBB, 0, 0, b"\0" * 8))))
add("http2 4.1: unknown flags", PONG, raw(frame(PING, 0x16, 0, b"whatever")))
add("http2 4.1: the reserved bit", PONG, raw(frame(PING, 0, 0x80000000, b"whatever")))
add("http2 4.2: DATA as large as may be", OK, body(frame(DATA, 0, 1, b"x" * 16384), frame(DATA, END_STREAM, 1)))
add("http2 4.2: DATA larger than may be", stream(SIZE), body(frame(DATA, END_STREAM, 1, b"x" * 16385)))
add("http2 4.2: HEADERS larger than may be", connection(SIZE), lambda link: link.send(frame(HEADERS, END, 1, link.block(link.head()) + literal("x", "y" * 16384))))
add("http2 4.3: a block that is no HPACK", PACK, raw(frame(HEADERS, END, 1, b"\x40")))
add("http2 4.3: PRIORITY inside a block", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_STREAM, 1, block) + frame(PRIORITY, 0, 1, WORD(0) + b"\xff")))
add("http2 4.3: another stream's HEADERS inside a block", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_STREAM, 1, block) + frame(HEADERS, END, 3, block)))

# http2/5: streams
for name, of in [("DATA", frame(DATA, END_STREAM, 1, b"test")), ("RST_STREAM", frame(RST_STREAM, 0, 1, WORD(CANCEL))), ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, WORD(100))), ("CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, b"\x82"))]:
    add(f"http2 5.1: an idle stream gets {name}", connection(PROTOCOL), raw(of))
CLOSED = (STREAM_CLOSED,)
add("http2 5.1: a half-closed stream gets DATA", stream(*CLOSED), lambda link: (link.request(link.head(path="/slow")), link.send(frame(DATA, END_STREAM, 1, b"test"))))
add("http2 5.1: a half-closed stream gets HEADERS", stream(*CLOSED), lambda link: (link.request(link.head(path="/slow")), link.request(stream=1)))
add("http2 5.1: a half-closed stream gets CONTINUATION", stream(STREAM_CLOSED, PROTOCOL), lambda link: (link.request(link.head(path="/slow")), link.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))))
RESET = frame(RST_STREAM, 0, 1, WORD(CANCEL))
add("http2 5.1: a stream that was reset gets DATA", stream(*CLOSED), lambda link: (link.request(link.head(), POST), link.send(RESET + frame(DATA, END_STREAM, 1, b"test"))))
add("http2 5.1: a stream that was reset gets HEADERS", stream(*CLOSED), lambda link: (link.request(link.head(), POST), link.send(RESET), link.request(stream=1)))
add("http2 5.1: a stream that was reset gets CONTINUATION", stream(STREAM_CLOSED, PROTOCOL), lambda link: (link.request(link.head(), POST), link.send(RESET + frame(CONTINUATION, END_HEADERS, 1, b"\x82"))))
add("http2 5.1: a closed stream gets DATA", stream(*CLOSED), lambda link: (link.request(), link.answer(1), link.send(frame(DATA, END_STREAM, 1, b"test"))))
add("http2 5.1: a closed stream gets HEADERS", stream(*CLOSED), lambda link: (link.request(), link.answer(1), link.request(stream=1)))
add("http2 5.1: a closed stream gets CONTINUATION", stream(STREAM_CLOSED, PROTOCOL), lambda link: (link.request(), link.answer(1), link.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))))
add("http2 5.1.1: a stream of an even number", connection(PROTOCOL), lambda link: link.request(stream=2))
add("http2 5.1.1: a stream of a smaller number", connection(PROTOCOL), lambda link: (link.request(stream=5), link.request(stream=3)))


def crowd(link):
    for _ in range(link.settings[3] + 1):
        link.request(link.head(), POST)


add("http2 5.1.2: more streams than are allowed", stream(PROTOCOL, REFUSED), crowd)
add("http2 5.3.1: HEADERS that depend on themselves", stream(PROTOCOL), with_block(lambda block: frame(HEADERS, END | HAS_PRIORITY, 1, WORD(1) + b"\xff" + block)))
add("http2 5.3.1: PRIORITY that depends on itself", stream(PROTOCOL), lambda link: (link.request(link.head(path="/slow")), link.send(frame(PRIORITY, 0, 1, WORD(1) + b"\xff"))))
add("http2 5.4.1: a connection closes behind its error", ("event", "closed"), raw(frame(PING, 0, 3, b"\0" * 8)))
add("http2 5.5: an unknown extension", PONG, then_ping(raw(frame(0xEE, 0xFF, 7, b"\0" * 8))))
add("http2 5.5: an unknown extension inside a block", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_STREAM, 1, block) + frame(0xEE, 0, 1, b"\0" * 8)))

# http2/6: each kind of frame
add("http2 6.1: DATA of stream 0", connection(PROTOCOL), raw(frame(DATA, END_STREAM, 0, b"test")))
add("http2 6.1: DATA with more padding than payload", connection(PROTOCOL), body(frame(DATA, END_STREAM | PADDED, 1, b"\x09test")))
add("http2 6.2: HEADERS of stream 0", connection(PROTOCOL), lambda link: link.request(stream=0))
add("http2 6.2: HEADERS with more padding than payload", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END | PADDED, 1, bytes([len(block) + 9]) + block)))
add("http2 6.2: HEADERS without an end, then DATA", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, 0, 1, block) + frame(DATA, END_STREAM, 1, b"test")))
add("http2 6.3: PRIORITY of stream 0", connection(PROTOCOL), raw(frame(PRIORITY, 0, 0, WORD(0) + b"\xff")))
add("http2 6.3: PRIORITY of four bytes", stream(SIZE), lambda link: (link.request(link.head(path="/slow")), link.send(frame(PRIORITY, 0, 1, WORD(0)))))
add("http2 6.4: RST_STREAM of stream 0", connection(PROTOCOL), raw(frame(RST_STREAM, 0, 0, WORD(CANCEL))))
add("http2 6.4: RST_STREAM of an idle stream", connection(PROTOCOL), raw(frame(RST_STREAM, 0, 7, WORD(CANCEL))))
add("http2 6.4: RST_STREAM of three bytes", connection(SIZE), lambda link: (link.request(link.head(), POST), link.send(frame(RST_STREAM, 0, 1, b"\0" * 3))))
add("http2 6.5: an acknowledgement with a payload", connection(SIZE), raw(frame(SETTINGS, ACK, 0, b"\0")))
add("http2 6.5: SETTINGS of a stream", connection(PROTOCOL), raw(frame(SETTINGS, 0, 1, b"\0\3" + WORD(1))))
add("http2 6.5: SETTINGS of three bytes", connection(SIZE), raw(frame(SETTINGS, 0, 0, b"\0\3\0")))
add("http2 6.5.2: ENABLE_PUSH that is neither 0 nor 1", connection(PROTOCOL), raw(settings((2, 2))))
add("http2 6.5.2: INITIAL_WINDOW_SIZE above what may be", connection(FLOW), raw(settings((4, 0x80000000))))
add("http2 6.5.2: MAX_FRAME_SIZE below what may be", connection(PROTOCOL), raw(settings((5, 16383))))
add("http2 6.5.2: MAX_FRAME_SIZE above what may be", connection(PROTOCOL), raw(settings((5, 16777216))))
add("http2 6.5.2: an unknown setting", PONG, then_ping(raw(settings((0xFF, 1)))))
add("http2 6.5.3: the last of two values counts", ("data", 1), lambda link: (link.send(settings((4, 100), (4, 1))), link.request(link.head(path="/body"))))
add("http2 6.5.3: settings are acknowledged", ("event", "ack"), raw(settings((4, 100))))
add("http2 6.7: PING is answered", PONG, ping)
add("http2 6.7: an answer to PING is not answered", ("event", "pong"), lambda link: (link.send(frame(PING, ACK, 0, b"whoknows")), ping(link)))
add("http2 6.7: PING of a stream", connection(PROTOCOL), raw(frame(PING, 0, 1, b"whatever")))
add("http2 6.7: PING of six bytes", connection(SIZE), raw(frame(PING, 0, 0, b"\0" * 6)))
add("http2 6.8: GOAWAY of a stream", connection(PROTOCOL), raw(frame(GOAWAY, 0, 1, WORD(0) + WORD(0))))
add("http2 6.9: WINDOW_UPDATE of nothing", connection(PROTOCOL), raw(frame(WINDOW_UPDATE, 0, 0, WORD(0))))
add("http2 6.9: WINDOW_UPDATE of nothing for a stream", stream(PROTOCOL), lambda link: (link.request(link.head(), POST), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(0)))))
add("http2 6.9: WINDOW_UPDATE of three bytes", connection(SIZE), raw(frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")))
add("http2 6.9.1: a window of one byte", ("data", 1), lambda link: (link.send(settings((4, 1))), link.request(link.head(path="/body"))))
add("http2 6.9.1: the connection's window above what may be", connection(FLOW), raw(frame(WINDOW_UPDATE, 0, 0, WORD(0x7FFFFFFF)) * 2))
add("http2 6.9.1: a stream's window above what may be", stream(FLOW), lambda link: (link.request(link.head(), POST), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(0x7FFFFFFF)) * 2)))
add("http2 6.9.2: a window that grows behind the request", ("data", 1), lambda link: (link.send(settings((4, 0))), link.request(link.head(path="/body")), link.send(settings((4, 1)))))
add("http2 6.9.2: INITIAL_WINDOW_SIZE that overflows a window", connection(FLOW), lambda link: (link.request(link.head(), POST), link.send(frame(WINDOW_UPDATE, 0, 1, WORD(0x7FFFFFFF - 65535)) + settings((4, 0x7FFFFFFF)))))
add("http2 6.10: CONTINUATION, then another frame", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, 0, 1, block[9:]) + frame(DATA, END_STREAM, 1)))
add("http2 6.10: CONTINUATION of stream 0", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, END_HEADERS, 0, block[9:])))
add("http2 6.10: CONTINUATION behind the end of a block", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_HEADERS, 1, block) + frame(CONTINUATION, END_HEADERS, 1, literal("x", "1"))))
add("http2 6.10: CONTINUATION behind CONTINUATION that ended", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, 0, 1, block[:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:]) + frame(CONTINUATION, END_HEADERS, 1, literal("x", "1"))))
add("http2 6.10: CONTINUATION behind DATA", connection(PROTOCOL), with_block(lambda block: frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, 0, 1, b"test") + frame(CONTINUATION, END_HEADERS, 1, b"\x82")))

# http2/7: codes
add("http2 7: GOAWAY with an unknown code", ("event", "closed"), raw(frame(GOAWAY, 0, 0, WORD(0) + WORD(0xFF))))
add("http2 7: RST_STREAM with an unknown code", PONG, lambda link: (link.request(link.head(), POST), link.send(frame(RST_STREAM, 0, 1, WORD(0xFF))), ping(link)))

# http2/8: messages
BROKEN = stream(PROTOCOL)
add("http2 8.1: a second HEADERS that is no end", BROKEN, lambda link: (link.request(link.head(method="POST"), POST), link.send(frame(HEADERS, END_HEADERS, 1, literal("x", "1")))))
add("http2 8.2: PUSH_PROMISE of a client", connection(PROTOCOL), lambda link: (link.request(link.head(), POST), link.send(frame(PUSH_PROMISE, END_HEADERS, 1, WORD(2) + link.block(link.head())))))
add("http2 8.2.1: a name in capitals", BROKEN, fields(("X-TEST", "1")))
for name, value in [("connection", "keep-alive"), ("keep-alive", "timeout=5"), ("proxy-connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("te", "trailers, deflate"), ("te", "gzip")]:
    add(f"http2 8.2.2: {name}: {value}", BROKEN, fields((name, value)))
add("http2 8.2.2: te: trailers", OK, fields(("te", "trailers")))
add("http2 8.3: an unknown pseudo-header", BROKEN, fields((":test", "1")))
add("http2 8.3: an unknown pseudo-header first", BROKEN, plain(lambda host: [(":test", "1"), (":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/")]))
add("http2 8.3: a response's pseudo-header", BROKEN, fields((":status", "200")))
add("http2 8.3: a pseudo-header in trailers", BROKEN, lambda link: (link.request(link.head(method="POST"), POST), link.send(frame(DATA, 0, 1, b"test") + frame(HEADERS, END, 1, literal(":method", "GET")))))
add("http2 8.3: a pseudo-header behind a field", BROKEN, plain(lambda host: [(":method", "GET"), (":scheme", "https"), ("x", "1"), (":authority", host), (":path", "/")]))
add("http2 8.3.1: an empty path", BROKEN, fields(path=""))
for name in (":method", ":scheme", ":path"):
    add(f"http2 8.3.1: no {name}", BROKEN, fields(drop=(name,)))
for name, value in [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "other.example")]:
    add(f"http2 8.3.1: {name} twice", BROKEN, plain(lambda host, name=name, value=value: [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/"), (name, value)]))
add("http2 8.1.1: a length that differs from one DATA", BROKEN, lambda link: (link.request(link.head(("content-length", "1"), method="POST"), POST), link.send(frame(DATA, END_STREAM, 1, b"test"))))
add("http2 8.1.1: a length that differs from several DATA", BROKEN, lambda link: (link.request(link.head(("content-length", "1"), method="POST"), POST), link.send(frame(DATA, 0, 1, b"test") + frame(DATA, END_STREAM, 1, b"test"))))
add("http2 8.1.1: a length and no body", BROKEN, fields(("content-length", "4"), method="POST"))


def run(expected, first, send, begin=True):
    link = Connection(ADDRESS, AUTHORITY, first=first, begin=begin)
    send(link)
    # Where nothing comes, something is missing; the slowest answer takes two seconds.
    link.socket.settimeout(10)
    try:
        return judge(link, expected)
    except TimeoutError:
        return False, ["nothing"]
    finally:
        link.close()


def say(name, expected, outcome):
    print(json.dumps({"case": name, "expected": str(expected), "right": outcome[0], "seen": outcome[1]}), flush=True)


ERROR = connection(PROTOCOL)
say("http2 3.4: a preface that is none", ERROR, run(ERROR, (), raw(b"INVALID CONNECTION PREFACE\r\n\r\n"), begin=False))
say("http2 3.4: a first frame that is not SETTINGS", ERROR, run(ERROR, (), raw(PREFACE, frame(PING, 0, 0, b"whatever")), begin=False))
for name, expected, first, send in CASES:
    say(name, expected, run(expected, first, send))
