// The protocols' own clients from npm behind a pipe: client.mjs FOLDER KIND PORT PATH. One operation a line in, {"ok": value}
// or {"error": text} a line out; what comes unasked is {"event": ...}. FOLDER is where the packages are.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, kind, port, path] = process.argv.slice(2);
const use = createRequire(folder + "/");
const line = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const tell = (event, words) => line({ event, ...words });

// Each: join, leave and publish, one heartbeat that was answered.
const kinds = {
  phoenix() {
    const { Socket } = use("phoenix");
    const soon = () => 20; // ms: before it comes back, and before it joins again
    const options = { transport: use("ws"), reconnectAfterMs: soon, rejoinAfterMs: soon };
    const socket = new Socket(`ws://127.0.0.1:${port}${path}`, options);
    const channels = {};
    const answered = (push) => new Promise((resolve, reject) => {
      push.receive("ok", resolve).receive("error", (why) => reject(new Error(why.reason))).receive("timeout", () => reject(new Error("timeout")));
    });
    socket.connect();
    return {
      join({ channel }) {
        channels[channel] = socket.channel(channel);
        channels[channel].on("new_msg", ({ data }) => tell("message", { channel, data }));
        channels[channel].onClose(() => tell("closed", { channel }));
        const push = channels[channel].join();
        push.receive("ok", () => tell("joined", { channel })); // each time
        return answered(push);
      },
      leave: ({ channel }) => answered(channels[channel].leave()),
      publish: ({ channel, data }) => answered(channels[channel].push("new_msg", { data })),
      beat: () => new Promise((resolve) => socket.ping(resolve)),
    };
  },
  async webpubsub() {
    const { WebPubSubClient, WebPubSubJsonReliableProtocol } = use("@azure/web-pubsub-client");
    const protocol = WebPubSubJsonReliableProtocol();
    const client = new WebPubSubClient(`ws://127.0.0.1:${port}${path}`, { protocol, keepAliveIntervalInMs: 500 });
    client.on("connected", ({ connectionId }) => tell("connected", { connectionId }));
    client.on("group-message", ({ message }) => tell("message", { channel: message.group, data: message.data }));
    let ackId = 1000;
    await client.start();
    return {
      join: ({ channel }) => client.joinGroup(channel),
      leave: ({ channel }) => client.leaveGroup(channel),
      // With a number of ours it asks again by the same one; without, it would take another one, and send twice.
      publish: ({ channel, data }) => client.sendToGroup(channel, data, "text", { ackId: ++ackId }),
    };
  },
  pusher() {
    const { key, secret, app } = JSON.parse(process.env.PUSHER);
    const backend = new (use("pusher"))({ appId: app, key, secret, host: "127.0.0.1", port, useTLS: false });
    const customHandler = ({ socketId, channelName }, done) => done(null, backend.authorizeChannel(socketId, channelName));
    const PusherJs = use("pusher-js");
    const pusher = new PusherJs(key, {
      cluster: "", wsHost: "127.0.0.1", wsPort: port, wsPath: path, forceTLS: false, enabledTransports: ["ws"],
      activityTimeout: 1000, channelAuthorization: { customHandler },
    });
    pusher.connection.bind("error", ({ error }) => tell("error", { code: error?.data?.code ?? null }));
    pusher.connection.bind("message", ({ event }) => event === "pusher:pong" && tell("pong"));
    return {
      join: ({ channel }) => new Promise((resolve, reject) => {
        const joined = pusher.subscribe(channel);
        for (const event of ["message", "client-message"]) joined.bind(event, ({ text }) => tell("message", { channel, data: text }));
        joined.bind("pusher:subscription_succeeded", () => (tell("joined", { channel }), resolve()));
        joined.bind("pusher:subscription_error", ({ status, error }) => reject(new Error(`${status} ${error}`)));
      }),
      leave: ({ channel }) => pusher.unsubscribe(channel),
      publish: async ({ channel, data }) => (await backend.trigger(channel, "message", { text: data })).status,
      trigger: ({ channel, data }) => pusher.channel(channel).trigger("client-message", { text: data }),
    };
  },
};

const operations = await kinds[kind]();
for await (const text of createInterface({ input: process.stdin })) {
  const { op, ...words } = JSON.parse(text);
  try {
    line({ ok: (await operations[op](words)) ?? null });
  } catch (error) {
    line({ error: String(error.message ?? error) });
  }
}
process.exit(0);
