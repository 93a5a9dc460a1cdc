"""An app that says how it has read each request, one line of JSON each: as WSGI (gunicorn) and as ASGI (uvicorn)."""

import json
import sys


def say(**reading):
    sys.stdout.write(json.dumps(reading) + "\n")
    sys.stdout.flush()


def app(environ, start_response):
    try:
        body = environ["wsgi.input"].read()
    except Exception:
        body = None
    length = environ.get("CONTENT_LENGTH") or None
    say(
        id=environ.get("HTTP_X_REQUEST_ID", ""),
        method=environ["REQUEST_METHOD"],
        target=environ["RAW_URI"],
        host=environ.get("HTTP_HOST", ""),
        user=environ.get("HTTP_REMOTE_USER", ""),
        email=environ.get("HTTP_REMOTE_EMAIL", ""),
        assertion=environ.get("HTTP_X_DOORWARD_ASSERTION", ""),
        body=(body or b"").decode("latin-1"),
        whole=body is not None and (length is None or int(length) == len(body)),
    )
    start_response("200 OK", [("X-Seen", environ.get("HTTP_X_REQUEST_ID", "")), ("Content-Length", "0")])
    return [b""]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    body, whole = b"", False
    while not whole:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        whole = not message.get("more_body", False)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    seen = headers.get("x-request-id", "")
    say(
        id=seen,
        method=scope["method"],
        target=target.decode("latin-1"),
        host=headers.get("host", ""),
        user=headers.get("remote-user", ""),
        email=headers.get("remote-email", ""),
        assertion=headers.get("x-doorward-assertion", ""),
        body=body.decode("latin-1"),
        whole=whole,
    )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-seen", seen.encode()), (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
