"""An app that speaks TLS or HTTP/2: says in JSON how it was reached, and prints a line for every request.

Arguments as NAME=VALUE: port, certificate, key, authority (asks clients for a certificate of it), alpn (as h2,http/1.1), and h2c=yes for
HTTP/2 without TLS. "refuse=N" has the first N streams refused unseen.
"""

import json
import os
import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events

options = dict(argument.split("=", 1) for argument in sys.argv[1:])
refusals = int(options.get("refuse", "0"))


def say(line):
    """One write a line: print writes its end apart, and another thread's line would come between."""
    os.write(1, f"{line}\n".encode())


def context():
    if "certificate" not in options:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options["certificate"], options["key"])
    made.set_alpn_protocols(options.get("alpn", "http/1.1").split(","))
    if "authority" in options:
        made.load_verify_locations(options["authority"])
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def told(connection, version, target, host):
    say(f"request {version} {target}")
    peer = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    subject = dict(pair for name in (peer or {}).get("subject", ()) for pair in name)
    return json.dumps({"version": version, "target": target, "host": host, "client": subject.get("commonName")}).encode()


def http1(connection):
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            read = connection.recv(65536)
            if not read:
                return
            buffer += read
        head, buffer = buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        host = next((line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("host:")), None)
        body = told(connection, "http/1.1", lines[0].split(" ")[1], host)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def http2(connection):
    global refusals
    state = h2.connection.H2Connection(config=h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    state.initiate_connection()
    connection.sendall(state.data_to_send())
    heads = {}
    while True:
        read = connection.recv(65536)
        if not read:
            return
        for event in state.receive_data(read):
            if isinstance(event, h2.events.RequestReceived):
                heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded) and event.stream_id in heads:
                head = heads.pop(event.stream_id)
                # Not before the body is there: who is still writing it does not learn why the stream has ended.
                if refusals > 0:
                    refusals -= 1
                    say("refused")
                    state.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                    continue
                body = told(connection, "h2", head[":path"], head[":authority"])
                state.send_headers(event.stream_id, [(":status", "200"), ("content-length", str(len(body)))])
                state.send_data(event.stream_id, body, end_stream=True)
        connection.sendall(state.data_to_send())


def serve(raw, tls):
    try:
        connection = tls.wrap_socket(raw, server_side=True) if tls else raw
        is_h2 = options.get("h2c") == "yes" or (tls and connection.selected_alpn_protocol() == "h2")
        say(f"connection {'h2' if is_h2 else 'http/1.1'}")
        (http2 if is_h2 else http1)(connection)
    except OSError as error:
        say(f"broken {error}")


def main():
    listener = socket.create_server(("127.0.0.1", int(options["port"])))
    tls = context()
    say("ready")
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, tls), daemon=True).start()


main()
