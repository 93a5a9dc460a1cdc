"""Sends streams of HTTP/2 as a file tells, each on a connection of its own, and behind each an ordinary request on another.

Arguments: host, port, authority, file. One line of JSON for each stream: what came of it, and of the request behind it."""

import json
import sys

from frames import *

ADDRESS, AUTHORITY = (sys.argv[1], int(sys.argv[2])), sys.argv[3]
USUAL = [":method", ":scheme", ":authority", ":path"]


def send(link, steps):
    """Each step is a mark and bytes (a character each): ":" the usual pseudo-headers, "h" a field, "d" DATA, "t" a trailer."""
    head, body, trailers = [], [], []
    for mark, text in steps:
        if mark == ":":
            method, path = text.split(" ", 1)
            head += [(":method", method), (":scheme", "https"), (":authority", "app.example"), (":path", path)]
        elif mark == "d":
            body.append(text.encode("latin-1"))
        else:
            name, value = text[:1] + text[1:].partition(": ")[0], text[1:].partition(": ")[2]
            (head if mark == "h" else trailers).append((name, value))
    link.request(head, END_HEADERS | (0 if body or trailers else END_STREAM), stream=1)
    for number, data in enumerate(body):
        is_last = number == len(body) - 1 and not trailers
        link.send(frame(DATA, END_STREAM if is_last else 0, 1, data))
    if trailers:
        link.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, link.block(trailers)))


def outcome(steps):
    link = Connection(ADDRESS, AUTHORITY)
    try:
        send(link, steps)
        return link.answer(1)
    except TimeoutError:
        return {"timeout": True}
    finally:
        link.close()


for number, steps in enumerate(json.load(open(sys.argv[4]))):
    print(json.dumps({"stream": outcome(steps), "behind": outcome([(":", f"GET /behind/{number}")])}), flush=True)
