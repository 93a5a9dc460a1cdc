// An app that says how it has read each request, one line of JSON each.
"use strict";

const http = require("node:http");

const say = (reading) => process.stdout.write(JSON.stringify(reading) + "\n");

const server = http.createServer({ maxHeaderSize: 65536, keepAliveTimeout: 75000 }, (request, response) => {
  const pieces = [];
  let said = false;
  const tell = (whole) => {
    if (said) return;
    said = true;
    const { method, url, headers } = request;
    say({
      id: headers["x-request-id"] || "",
      method,
      target: url,
      host: headers.host || "",
      user: headers["remote-user"] || "",
      email: headers["remote-email"] || "",
      assertion: headers["x-doorward-assertion"] || "",
      body: Buffer.concat(pieces).toString("latin1"),
      whole,
    });
  };
  request.on("data", (piece) => pieces.push(piece));
  request.on("aborted", () => tell(false));
  request.on("error", () => tell(false));
  request.on("end", () => {
    tell(true);
    response.setHeader("X-Seen", request.headers["x-request-id"] || "");
    response.setHeader("Content-Length", "0");
    response.end();
  });
});

server.on("clientError", (error, socket) => {
  // The other side left in the middle: the request itself tells that.
  if (!["ECONNRESET", "HPE_INVALID_EOF_STATE"].includes(error.code)) say({ malformed: error.code });
  socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
});

server.listen(Number(process.argv[2]), "127.0.0.1");
