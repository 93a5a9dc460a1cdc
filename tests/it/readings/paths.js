// Says what Node's two parsers make of the path, one JSON object of latin1 strings a request.
"use strict";

const http = require("node:http");
const legacy = require("node:url");

const attempt = (read) => {
  try {
    return read();
  } catch {
    return null;
  }
};

const decoded = (text, decode) => (text === null ? null : attempt(() => decode(text)));

const bytes = (text) => (text === null ? null : Buffer.from(text, "utf8").toString("latin1"));

http
  .createServer((request, response) => {
    const text = Buffer.from(request.url, "latin1").toString("utf8");
    const path = attempt(() => new URL(text, "http://h").pathname);
    const old = attempt(() => legacy.parse(text).pathname);
    const readings = {
      "Node, new URL()": path,
      "Node, new URL() and decodeURIComponent": decoded(path, decodeURIComponent),
      "Node, new URL() and decodeURI": decoded(path, decodeURI),
      "Node, url.parse() and decodeURIComponent": decoded(old, decodeURIComponent),
      "Express' static files": attempt(() => require("node:path").posix.normalize(decodeURIComponent(text.split("?")[0]))),
    };
    response.end(JSON.stringify(Object.fromEntries(Object.entries(readings).map(([name, read]) => [name, bytes(read)]))));
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
