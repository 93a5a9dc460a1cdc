"""Says what Python's servers and parsers make of the path, one JSON object of latin1 strings a request."""

import json
import sys
from http.server import SimpleHTTPRequestHandler
from urllib.parse import urlparse, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server


def attempt(read):
    try:
        return read()
    except ValueError:
        return None


def latin(text):
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("latin-1")


class Handler(WSGIRequestHandler):
    def get_environ(self):
        environ = super().get_environ()
        environ["doorward.target"] = self.requestline.split(" ")[1]
        return environ

    def log_message(self, *words):
        pass


def raw(environ):
    return environ["doorward.target"].encode("latin-1").decode("utf-8", "surrogateescape")


def app(environ, start_response):
    target = raw(environ)
    files = SimpleHTTPRequestHandler.__new__(SimpleHTTPRequestHandler)
    files.directory = "/files"
    readings = {
        "Python, wsgiref": environ["PATH_INFO"],
        "Python, http.server's files": latin(attempt(lambda: files.translate_path(target)[len("/files") :] or "/")),
        "Python, urlsplit()": latin(attempt(lambda: urlsplit(target).path or "/")),
        "Python, urlparse()": latin(attempt(lambda: urlparse(target).path or "/")),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(readings).encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    readings = {"Python, uvicorn": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1")}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(readings).encode()})


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"Python, gunicorn": environ["PATH_INFO"]}).encode()]


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Handler) as server:
        server.serve_forever()
