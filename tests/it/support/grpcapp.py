"""A gRPC server and client of the reference implementation, whose messages are bare bytes.

serve PORT | call PORT AUTHORITY.pem NAME TOKEN, which prints what became of each kind of call as JSON.
"""

import json
import sys
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


class Service(grpc.GenericRpcHandler):
    def service(self, call):
        return {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Count": grpc.stream_unary_rpc_method_handler(counted),
            "Several": grpc.unary_stream_rpc_method_handler(several),
            "Chat": grpc.stream_stream_rpc_method_handler(chat),
            "Fail": grpc.unary_unary_rpc_method_handler(failing),
            "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
        }.get(call.method.rsplit("/", 1)[1])


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Service(),))
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

    import threading

    turn = threading.Semaphore(0)
    for answer in channel.stream_stream("/demo.Echo/Chat")(questions(), metadata=metadata, timeout=20):
        said.append(answer.decode())
        turn.release()
    return said


def call(port, authority, name, token):
    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=[("grpc.ssl_target_name_override", name)])
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


serve(sys.argv[2]) if sys.argv[1] == "serve" else call(*sys.argv[2:])
