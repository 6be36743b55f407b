// Rooms as the Socket.IO documentation has them, with connection state recovery: an event is broadcast to a room, and the
// acknowledgement says {ok}. Both transports of Engine.IO are on; the dialect uses WebSocket alone.
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

const { Server } = createRequire(`${process.env.WSQ_BUILD}/`)('socket.io');
const io = new Server({ connectionStateRecovery: { maxDisconnectionDuration: 2 * 60 * 1000, skipMiddlewares: true } });

io.on('connection', (socket) => {
  socket.on('subscribe', async (channel, done) => {
    if (typeof channel !== 'string' || typeof done !== 'function') return;
    await socket.join(channel);
    done({ ok: true });
  });
  socket.on('unsubscribe', async (channel, done) => {
    if (typeof channel !== 'string' || typeof done !== 'function') return;
    await socket.leave(channel);
    done({ ok: true });
  });
  socket.on('publish', (channel, data, done) => {
    if (typeof channel !== 'string' || typeof done !== 'function') return;
    io.to(channel).emit('message', channel, data);
    done({ ok: true });
  });
});

// The ports are given, so that the server is there again after a restart.
async function serve(server, port) {
  io.attach(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

const port = await serve(createServer(), process.env.WSQ_PORT);
const tlsPort = await serve(
  createSecureServer({ cert: readFileSync(process.env.WSQ_CERT), key: readFileSync(process.env.WSQ_KEY) }),
  process.env.WSQ_TLS_PORT,
);
console.log(`ready ws://127.0.0.1:${port}/socket.io/ wss://127.0.0.1:${tlsPort}/socket.io/`);
