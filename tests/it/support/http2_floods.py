"""What a client of HTTP/2 can do to a server without asking for anything.

Arguments: host, port, authority, kind. One line of JSON: whether the connection ended, how many frames were sent by then, and
the last word of the other side."""

import json
import sys
import threading
import time

from frames import *

ADDRESS, AUTHORITY, KIND = (sys.argv[1], int(sys.argv[2])), sys.argv[3], sys.argv[4]
# More than any client sends, and no more than a test has time for.
MOST, SECONDS = 200_000, 15
WORD = lambda number: number.to_bytes(4, "big")


def say(**what):
    print(json.dumps(what), flush=True)


def flood(link, batch, each):
    """Sends `batch(number)` again and again, each of so many frames, until the connection ends."""
    ended = threading.Event()
    last = []

    def listen():
        for event in link.events():
            last[:] = [event[0], event[2] if event[0] in ("reset", "goaway") else None]
            if event[0] in ("closed", "goaway"):
                break
        ended.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    sent, until = 0, time.monotonic() + SECONDS
    while sent < MOST and time.monotonic() < until and not ended.is_set():
        link.send(batch(sent))
        sent += each
    ended.wait(SECONDS)
    say(ended=ended.is_set(), sent=sent, last=last)


def streams(build, each):
    """A batch for a flood of requests: `build(link, stream)` for the next ten streams."""

    def batch(link):
        def of(_):
            numbers = range(link.next, link.next + 20, 2)
            link.next += 20
            return b"".join(build(link, stream) for stream in numbers)

        return of

    return batch, 10 * each


def head(link, stream, flags=END_HEADERS, **what):
    return frame(HEADERS, flags, stream, link.block(link.head(**what)))


FLOODS = {
    "ping": (lambda link: lambda _: frame(PING, 0, 0, b"whatever") * 100, 100),
    "settings": (lambda link: lambda _: settings((4, 65535)) * 100, 100),
    "empty-settings": (lambda link: lambda _: settings() * 100, 100),
    "priority": (lambda link: lambda _: frame(PRIORITY, 0, 1, WORD(0) + b"\x0f") * 100, 100),
    "window-update": (lambda link: lambda _: frame(WINDOW_UPDATE, 0, 0, WORD(1)) * 100, 100),
    "unknown": (lambda link: lambda _: frame(0xBB, 0, 0, b"") * 100, 100),
    "rapid-reset": streams(lambda link, stream: head(link, stream, END_HEADERS | END_STREAM) + frame(RST_STREAM, 0, stream, WORD(CANCEL)), 2),
    "made-you-reset": streams(lambda link, stream: head(link, stream, method="POST") + frame(WINDOW_UPDATE, 0, stream, WORD(0)), 2),
    "broken-heads": streams(lambda link, stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, link.block([("x", "1")])), 1),
    "odd-lengths": streams(lambda link, stream: head(link, stream, method="POST") + frame(DATA, END_STREAM, stream, b"") + frame(DATA, END_STREAM, stream, b"x"), 3),
    "empty-data": (lambda link: (link.request(link.head(method="POST"), END_HEADERS), lambda _: frame(DATA, 0, 1, b"") * 100)[1], 100),
    "padded-data": (lambda link: (link.request(link.head(method="POST"), END_HEADERS), lambda _: frame(DATA, PADDED, 1, b"\x00") * 100)[1], 100),
    "continuation": (lambda link: (link.send(frame(HEADERS, 0, 1, link.block(link.head()))), lambda _: frame(CONTINUATION, 0, 1, literal("x", "y" * 1000)))[1], 1),
    "empty-continuation": (lambda link: (link.send(frame(HEADERS, 0, 1, link.block(link.head()))), lambda _: frame(CONTINUATION, 0, 1) * 100)[1], 100),
}


def until_closed(link):
    seen = []
    try:
        for event in link.events():
            seen.append(event[0])
    except TimeoutError:
        seen.append("timeout")
    say(ended=seen[-1] == "closed", seen=seen)


def slow_preface():
    link = Connection(ADDRESS, AUTHORITY, begin=False)
    link.send(PREFACE[:10])
    until_closed(link)


def slow_head():
    link = Connection(ADDRESS, AUTHORITY)
    bytes_of = head(link, 1)

    def trickle():
        # Never silent for long, and never done.
        for byte in bytes_of:
            link.send(bytes([byte]))
            time.sleep(0.3)

    threading.Thread(target=trickle, daemon=True).start()
    until_closed(link)


def endless_head():
    link = Connection(ADDRESS, AUTHORITY)
    link.send(frame(HEADERS, 0, 1, link.block(link.head())))
    until_closed(link)


def idle():
    link = Connection(ADDRESS, AUTHORITY)
    link.request()
    first = link.answer(1)
    assert first["status"] == 200, first
    until_closed(link)


def slow_body():
    """One stream's body does not come; the other stream of the connection goes on."""
    link = Connection(ADDRESS, AUTHORITY)
    slow = link.request(link.head(method="POST", path="/slow-body"), END_HEADERS)
    link.send(frame(DATA, 0, slow, b"x"))
    first = link.answer(slow)
    again = link.request()
    say(first=first, again=link.answer(again).get("status"))


def zero_window():
    """A client that lets nothing through: the answer is given up, and the connection is not."""
    link = Connection(ADDRESS, AUTHORITY, first=[(4, 0)])
    stuck = link.request(link.head(path="/body"))
    first = link.answer(stuck)
    again = link.request(link.head(method="HEAD"))
    say(first=first, again=link.answer(again).get("status"))


def zero_windows():
    """As many streams as are allowed, none of which is let through."""
    link = Connection(ADDRESS, AUTHORITY, first=[(4, 0)])
    numbers = {link.request(link.head(path="/body")) for _ in range(link.settings[3])}
    for event in link.events():
        if event[0] in ("reset", "end"):
            numbers.discard(event[1])
        if not numbers or event[0] == "closed":
            break
    say(left=len(numbers))


OTHERS = {"slow-preface": slow_preface, "slow-head": slow_head, "endless-head": endless_head, "idle": idle, "slow-body": slow_body, "zero-window": zero_window, "zero-windows": zero_windows}
if KIND in OTHERS:
    OTHERS[KIND]()
else:
    prepare, each = FLOODS[KIND]
    link = Connection(ADDRESS, AUTHORITY)
    flood(link, prepare(link), each)
