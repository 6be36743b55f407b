// npm's toxiproxy-node-client behind a pipe: one JSON object a line in, {"ok": value} or {"error": text} a line out.
// The folder of the package is the first argument, the API's URL the second.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Toxiproxy } = createRequire(process.argv[2] + "/")("toxiproxy-node-client");
const toxiproxy = new Toxiproxy(process.argv[3]);
const plain = (value) => JSON.parse(JSON.stringify(value, (key, v) => (["api", "toxiproxy", "proxyPath"].includes(key) ? undefined : v)));
const operations = {
  version: async () => JSON.parse(await toxiproxy.getVersion()),
  create: ({ name, listen, upstream }) => toxiproxy.createProxy({ name, listen, upstream, enabled: true }),
  list: () => toxiproxy.getAll(),
  show: ({ proxy }) => toxiproxy.get(proxy),
  populate: ({ proxies }) => toxiproxy.populate(proxies),
  enable: async ({ proxy, enabled }) => {
    const p = await toxiproxy.get(proxy);
    return p.update({ enabled, listen: p.listen, upstream: p.upstream });
  },
  add_toxic: async ({ proxy, type, stream, name, attributes, toxicity }) =>
    (await (await toxiproxy.get(proxy)).addToxic({ type, stream, name, attributes, toxicity })).toJson(),
  update_toxic: async ({ proxy, name, attributes }) => {
    const toxic = await (await toxiproxy.get(proxy)).getToxic(name);
    return (await toxic.update({ ...toxic.toJson(), attributes })).toJson();
  },
  remove_toxic: async ({ proxy, name }) => (await (await toxiproxy.get(proxy)).getToxic(name)).remove(),
  delete: async ({ proxy }) => (await toxiproxy.get(proxy)).remove(),
  reset: () => toxiproxy.reset(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...words } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: plain((await operations[op](words)) ?? null) };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  console.log(JSON.stringify(answer));
}
