// A chat as the graphql-ws documentation would have it: one subscription, one mutation, channels in memory.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { once, EventEmitter, on } from 'node:events';

const require = createRequire(`${process.env.WSQ_BUILD}/`);
const { WebSocketServer } = require('ws');
const { buildSchema } = require('graphql');
const { useServer } = require('graphql-ws/use/ws');

const channels = new EventEmitter().setMaxListeners(0);
const schema = buildSchema(`
  type Message { data: String! }
  type Query { alive: Boolean! }
  type Mutation { publish(channel: String!, data: String!): Boolean! }
  type Subscription { messages(channel: String!): Message! }
`);

// The listener is there before this returns, so that nothing which is published behind the answer to a ping is missed.
function messages({ channel }) {
  const abort = new AbortController();
  const events = on(channels, `c:${channel}`, { signal: abort.signal });
  return {
    [Symbol.asyncIterator]() { return this; },
    async next() {
      const { value, done } = await events.next();
      return done ? { value: undefined, done } : { value: { messages: { data: value[0] } }, done: false };
    },
    async return() {
      await events.return();
      return { value: undefined, done: true };
    },
  };
}

const roots = {
  query: { alive: true },
  mutation: { publish: ({ channel, data }) => (channels.emit(`c:${channel}`, data), true) },
  subscription: { messages },
};

const server = createServer((_request, response) => response.writeHead(426).end());
useServer({ schema, roots }, new WebSocketServer({ server, path: '/graphql' }));
server.listen(process.env.WSQ_PORT, '127.0.0.1');
await once(server, 'listening');
console.log(`ready ws://127.0.0.1:${server.address().port}/graphql`);
