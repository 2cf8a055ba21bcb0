// Clients from npm: ws and eventsource. Obeys lines of JSON on standard input
// and writes what the clients see as lines of JSON:
//
//   {"do":"ws","client":"a","url":"ws://…","protocols":["push.v1"]}
//   {"do":"sse","client":"b","url":"http://…"}
//   {"do":"send","client":"a","parts":["{\"type\":","\"ping\"}"]}   one message, a fragment per part
//   {"do":"ping","client":"a","text":"x"}
//   {"do":"binary","client":"a","hex":"00"}   {"do":"text",…}   {"do":"raw",…}   bytes past the library
//   {"do":"pause","client":"a"}   {"do":"resume","client":"a"}
//   {"do":"close","client":"a","code":1000}
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { EventSource } from "eventsource";
import WebSocket from "ws";

const clients = new Map();
const say = o => process.stdout.write(JSON.stringify(o) + "\n");
const ca = process.env.CA ? readFileSync(process.env.CA) : undefined;

const frame = (client, json, more) => {
  const f = JSON.parse(json);
  say({ client, event: f.type ? "control" : "data", frame: f, ...more });
};

function openWS({ client, url, protocols, localAddress }) {
  const ws = new WebSocket(url, protocols, { ca, localAddress });
  ws.on("open", () => say({ client, event: "open", protocol: ws.protocol }));
  ws.on("message", (data, binary) =>
    binary ? say({ client, event: "error", text: "binary message" }) : frame(client, data));
  ws.on("ping", data => say({ client, event: "ping", text: String(data) }));
  ws.on("pong", data => say({ client, event: "pong", text: String(data) }));
  ws.on("unexpected-response", (_, r) => say({ client, event: "error", code: r.statusCode }));
  ws.on("error", e => say({ client, event: "error", text: e.message }));
  ws.on("close", (code, reason) => say({ client, event: "close", code, text: String(reason) }));
  clients.set(client, ws);
}

function openSSE({ client, url }) {
  const es = new EventSource(url);
  es.onopen = () => say({ client, event: "open" });
  es.onerror = e => say({ client, event: "error", code: e.code, text: e.message });
  es.onmessage = e => frame(client, e.data, { id: e.lastEventId });
  for (const type of ["hello", "gap", "drain", "close"]) {
    es.addEventListener(type, e => frame(client, e.data));
  }
  clients.set(client, es);
}

function obey(c) {
  const client = clients.get(c.client);
  switch (c.do) {
    case "ws": return openWS(c);
    case "sse": return openSSE(c);
    case "send": return c.parts.forEach((p, i) => client.send(p, { fin: i === c.parts.length - 1 }));
    case "ping": return client.ping(c.text);
    case "binary": return client.send(Buffer.from(c.hex, "hex"));
    case "text": return client.send(Buffer.from(c.hex, "hex"), { binary: false });
    case "raw": return client._socket.write(Buffer.from(c.hex, "hex"));
    case "pause": return client.pause();
    case "resume": return client.resume();
    case "close": return client.close(c.code);
  }
  throw new Error("no such command: " + c.do);
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    obey(JSON.parse(line));
  } catch (e) {
    say({ client: "driver", event: "error", text: `${line}: ${e}` });
  }
}
process.exit(0);
