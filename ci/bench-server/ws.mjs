// The comparison servers on the Node library ws: ws.mjs echo|broadcast [WORKERS]. Prints "ready PORT"; ends on TERM.
// broadcast speaks just enough of wsquall.v1 for the load, without checks. With workers the first process orders the
// messages and hands each to every worker.
import cluster from 'node:cluster';
import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(`${process.env.WSQ_BUILD}/`)('ws');
const [mode, workers = '1'] = process.argv.slice(2);
const channels = new Map(); // name: { seq, clients }

function channel(name) {
  if (!channels.has(name)) channels.set(name, { seq: 0, clients: new Set() });
  return channels.get(name);
}

function broadcast({ name, seq, data }) {
  const message = Buffer.from(JSON.stringify({ type: 'message', channel: name, epoch: '0123456789abcdef', seq, data }));
  for (const client of channel(name).clients) client.send(message, { binary: false });
}

function publish(name, data) {
  if (cluster.isWorker) process.send({ name, data });
  else broadcast({ name, seq: ++channel(name).seq, data });
}

function onMessage(ws, text) {
  const { type, id, channel: name, data } = JSON.parse(text);
  if (type === 'publish') {
    publish(name, data);
  } else if (type === 'subscribe') {
    channel(name).clients.add(ws);
    ws.once('close', () => channel(name).clients.delete(ws));
    ws.send(JSON.stringify({ type: 'subscribed', id, channel: name, epoch: '0123456789abcdef', seq: channel(name).seq }));
  }
}

function serve(port) {
  const wss = new WebSocketServer({ host: '127.0.0.1', port, backlog: 4096 });
  wss.on('connection', (ws) => {
    ws.on('error', () => {});
    if (mode === 'echo') ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
    else ws.on('message', (data) => onMessage(ws, data));
  });
  return wss;
}

if (cluster.isWorker) {
  process.on('message', broadcast);
  serve(0); // all workers share the port that the first one got
} else if (workers === '1') {
  const wss = serve(0);
  wss.on('listening', () => console.log(`ready ${wss.address().port}`));
} else {
  let listening = 0;
  cluster.on('message', (_worker, { name, data }) => {
    const message = { name, seq: ++channel(name).seq, data };
    for (const worker of Object.values(cluster.workers)) worker.send(message);
  });
  cluster.on('listening', (_worker, { port }) => ++listening === Number(workers) && console.log(`ready ${port}`));
  for (let i = 0; i < Number(workers); i++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0)); // the workers end when their channel to here closes
}
