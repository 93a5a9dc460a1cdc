"""A gRPC server and client of the reference implementation, whose messages are bare bytes.

serve PORT | call PORT AUTHORITY.pem NAME TOKEN, which prints what became of each kind of call as JSON
| hold PORT AUTHORITY.pem NAME TOKEN HERS, which opens streams of two people on one connection, prints a line, waits for one,
and prints what became of them.
"""

import json
import os
import queue
import sys
import threading
import time
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("seen-user", dict(context.invocation_metadata()).get("remote-email", "")),))
    return b"echo " + request


def counted(requests, context):
    return b"%d" % sum(1 for _ in requests)


def several(request, context):
    for place in range(3):
        yield request + b" %d" % place


def chat(requests, context):
    for request in requests:
        yield b"you said " + request


def failing(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")


def deadline(request, context):
    return b"yes" if context.time_remaining() < 100 else b"no"


waiting = set()


def wait(request, context):
    """Says one word, and then nothing for as long as anybody listens."""
    over = threading.Event()
    waiting.add(over)
    context.add_callback(over.set)
    yield b"first"
    over.wait()
    waiting.discard(over)


def held(request, context):
    return b"%d" % sum(not over.is_set() for over in list(waiting))


class Service(grpc.GenericRpcHandler):
    def service(self, call):
        return {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Count": grpc.stream_unary_rpc_method_handler(counted),
            "Several": grpc.unary_stream_rpc_method_handler(several),
            "Chat": grpc.stream_stream_rpc_method_handler(chat),
            "Fail": grpc.unary_unary_rpc_method_handler(failing),
            "Wait": grpc.unary_stream_rpc_method_handler(wait),
            "Held": grpc.unary_unary_rpc_method_handler(held),
            "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
        }.get(call.method.rsplit("/", 1)[1])


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(64), handlers=(Service(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def outcome(call):
    try:
        return call()
    except grpc.RpcError as error:
        return {"code": error.code().value[0], "details": error.details()}


def lockstep(channel, metadata):
    """Each message is sent when the answer to the one before is there: both directions at once."""
    said = []

    def questions():
        for place in range(3):
            while len(said) < place:
                turn.acquire()
            yield b"%d" % place

    turn = threading.Semaphore(0)
    for answer in channel.stream_stream("/demo.Echo/Chat")(questions(), metadata=metadata, timeout=20):
        said.append(answer.decode())
        turn.release()
    return said


def channel_to(port, authority, name):
    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=[("grpc.ssl_target_name_override", name)])


def call(port, authority, name, token):
    channel = channel_to(port, authority, name)
    known = (("authorization", f"Bearer {token}"),)

    def ask(path, body=b"hello", metadata=known, timeout=20):
        return outcome(lambda: channel.unary_unary(path)(body, metadata=metadata, timeout=timeout).decode())

    def trailers():
        _, done = channel.unary_unary("/demo.Echo/Unary").with_call(b"x", metadata=known, timeout=20)
        return dict(done.trailing_metadata()).get("seen-user")

    print(json.dumps({
        "unary": ask("/demo.Echo/Unary"),
        "large": ask("/demo.Echo/Unary", b"x" * 3_000_000) == "echo " + "x" * 3_000_000,
        "trailers": outcome(trailers),
        "client": outcome(lambda: channel.stream_unary("/demo.Echo/Count")(iter([b"a"] * 5), metadata=known, timeout=20).decode()),
        "server": outcome(lambda: [one.decode() for one in channel.unary_stream("/demo.Echo/Several")(b"m", metadata=known, timeout=20)]),
        "both": outcome(lambda: lockstep(channel, known)),
        "failing": ask("/demo.Echo/Fail"),
        "deadline": ask("/demo.Echo/Deadline", timeout=15),
        "stranger": ask("/demo.Echo/Unary", metadata=()),
        "one_factor": ask("/second.Echo/Unary"),
        "dead": ask("/dead.Echo/Unary"),
        "nowhere": ask("/nowhere.Echo/Unary"),
    }))


class Talk:
    """A stream of both directions, in which each side waits for the other."""

    def __init__(self, channel, token):
        self.questions = queue.Queue()
        known = (("authorization", f"Bearer {token}"),)
        self.answers = channel.stream_stream("/demo.Echo/Chat")(iter(self.questions.get, None), metadata=known)

    def say(self, text):
        self.questions.put(text)
        return next(self.answers).decode()


def hold(port, authority, name, token, hers):
    channel = channel_to(port, authority, name)
    mine, theirs = ((("authorization", f"Bearer {one}"),) for one in (token, hers))

    def listen(known):
        answers = channel.unary_stream("/demo.Echo/Wait")(b"x", metadata=known)
        next(answers)
        return answers

    def ask(path, known):
        return outcome(lambda: channel.unary_unary(path)(b"hello", metadata=known, timeout=20).decode())

    def end(answers):
        try:
            return {"said": next(answers).decode()}
        except grpc.RpcError as error:
            return {"code": error.code().value[0], "details": error.details(), "at": time.time()}

    silent, talk = listen(mine), Talk(channel, token)
    silent_too, talk_too = listen(theirs), Talk(channel, hers)
    said = [talk.say(b"one"), talk_too.say(b"two")]
    print(json.dumps({"said": said, "held": ask("/demo.Echo/Held", theirs)}), flush=True)
    watch = futures.ThreadPoolExecutor(2)
    ends = [watch.submit(end, silent), watch.submit(end, talk.answers)]
    sys.stdin.readline()

    def result(future):
        try:
            return future.result(timeout=10)
        except futures.TimeoutError:
            return {"open": True}

    print(json.dumps({
        "silent": result(ends[0]),
        "talk": result(ends[1]),
        "hers": outcome(lambda: talk_too.say(b"still here")),
        "hers_silent": silent_too.is_active(),
        "again": ask("/demo.Echo/Unary", mine),
        "hers_again": ask("/demo.Echo/Unary", theirs),
        "held": ask("/demo.Echo/Held", theirs),
    }), flush=True)
    # Its threads wait for questions that nobody asks any more.
    os._exit(0)


{"serve": serve, "call": call, "hold": hold}[sys.argv[1]](*sys.argv[2:])
