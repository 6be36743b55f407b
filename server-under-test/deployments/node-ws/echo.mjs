// An echo server as the ws documentation writes it. permessage-deflate is on: the default offers none. All else is default: maxPayload
// (100 MiB) and the limit of 16,384 fragments in a message among it.
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

const { WebSocketServer } = createRequire(`${process.env.WSQ_BUILD}/`)('ws');

async function serve(server) {
  const wss = new WebSocketServer({ server, perMessageDeflate: true });
  wss.on('connection', (ws) => {
    ws.on('error', () => {}); // a protocol error of the peer: ws has closed the connection
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

// What ws itself answers to a plain request when it makes the server.
function upgradeRequired(_request, response) {
  response.writeHead(426).end();
}

const port = await serve(createServer(upgradeRequired));
const tlsPort = await serve(
  createSecureServer({ cert: readFileSync(process.env.WSQ_CERT), key: readFileSync(process.env.WSQ_KEY) }, upgradeRequired),
);
console.log(`ready ws://127.0.0.1:${port}/ wss://127.0.0.1:${tlsPort}/`);
