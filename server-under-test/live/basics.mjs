// What any client does, on the WebSocket interface that browsers and Node's `ws` share. open(query) begins a connection;
// basics gives [what, error or undefined] for each check. Runs in a page as it is: no imports.
const DEADLINE_MS = 30000;

function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a}, wanted ${b}`);
}

// A connection whose messages are awaited one by one, and whose end is.
class Talk {
  constructor(ws) {
    this.ws = ws;
    this.inbox = [];
    this.wake = () => {};
    this.end = null;
    ws.onmessage = (event) => { this.inbox.push(JSON.parse(event.data)); this.wake(); };
    ws.onclose = (event) => { this.end = { code: event.code, reason: event.reason, clean: event.wasClean }; this.wake(); };
    ws.onerror = () => {};
  }
  async until(condition, what) {
    const late = Date.now() + DEADLINE_MS;
    while (!condition()) {
      if (Date.now() > late) throw new Error(`${what} did not come`);
      await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 200); });
    }
  }
  async next() {
    await this.until(() => this.inbox.length || this.end, 'a message');
    if (!this.inbox.length) throw new Error(`closed with ${this.end.code}`);
    return this.inbox.shift();
  }
  async expect(wanted) {
    const got = await this.next();
    equal(Object.fromEntries(Object.keys(wanted).map((key) => [key, got[key]])), wanted, got.type);
    return got;
  }
  say(message) {
    this.ws.send(JSON.stringify(message));
  }
  async closed() {
    await this.until(() => this.end, 'the close');
    return this.end;
  }
}

const unique = `${Date.now()}-${Math.random()}`.replace(/[^0-9.-]/g, '');

const checks = {
  async 'welcome, ping, pong'(open) {
    const talk = new Talk(open());
    const welcome = await talk.expect({ type: 'welcome', resumed: false });
    equal(talk.ws.protocol, 'wsquall.v1', 'subprotocol');
    equal(typeof welcome.session, 'string', 'session');
    talk.say({ type: 'ping', id: 6 });
    await talk.expect({ type: 'pong', id: 6 });
    talk.ws.close(1000, 'bye');
    equal(await talk.closed(), { code: 1000, reason: '', clean: true }, 'close');
  },
  async 'subscribe, publish, message, published, large and small'(open) {
    const talk = new Talk(open());
    await talk.expect({ type: 'welcome' });
    const channel = `basic/${unique}/${Math.random()}`;
    talk.say({ type: 'subscribe', id: 's', channel });
    const { epoch } = await talk.expect({ type: 'subscribed', id: 's', channel, seq: 0 });
    const values = [null, 'grüße 😀', { a: [1, 2.5, { b: false }] }, 'x'.repeat(300000), Array(20000).fill('abc')];
    for (const [i, data] of values.entries()) {
      talk.say({ type: 'publish', id: i, channel, data });
      await talk.expect({ type: 'message', channel, epoch, seq: i + 1, data });
      await talk.expect({ type: 'published', id: i, channel, epoch, seq: i + 1 });
    }
    talk.say({ type: 'history', id: 'h', channel, from: 2, to: 3 });
    await talk.expect({ type: 'history', complete: true, messages: [{ seq: 2, data: values[1] }, { seq: 3, data: values[2] }] });
    talk.say({ type: 'unsubscribe', id: 'u', channel });
    await talk.expect({ type: 'unsubscribed', id: 'u', channel });
    talk.ws.close();
    equal((await talk.closed()).clean, true, 'close');
  },
  async 'errors leave the connection open'(open) {
    const talk = new Talk(open());
    await talk.expect({ type: 'welcome' });
    talk.ws.send('{');
    await talk.expect({ type: 'error', code: 'bad_request', id: null });
    talk.say({ type: 'nope', id: 1 });
    await talk.expect({ type: 'error', code: 'unknown_type', id: 1 });
    talk.say({ type: 'auth', id: 2, token: 'x' });
    await talk.expect({ type: 'error', code: 'unauthorized', id: 2 });
    talk.say({ type: 'unsubscribe', id: 3, channel: 'c' });
    await talk.expect({ type: 'error', code: 'not_found', id: 3 });
    talk.ws.close(4123, 'own code');
    equal((await talk.closed()).code, 4123, 'close');
  },
  async 'a session is resumed, acks are its cursor, a takeover closes with 4000'(open) {
    const first = new Talk(open());
    const { session } = await first.expect({ type: 'welcome' });
    const channel = `session/${unique}/${Math.random()}`;
    first.say({ type: 'subscribe', id: 1, channel });
    await first.expect({ type: 'subscribed' });
    for (const data of [1, 2, 3]) {
      first.say({ type: 'publish', id: data, channel, data });
      await first.expect({ type: 'message', data });
      await first.expect({ type: 'published', id: data });
    }
    first.say({ type: 'ack', channel, seq: 2 });
    first.ws.close(1000);
    await first.closed();
    const second = new Talk(open(`?session=${session}`));
    await second.expect({ type: 'welcome', session, resumed: true });
    await second.expect({ type: 'subscribed', id: null, channel, seq: 3, recovered: true });
    const { epoch } = await second.expect({ type: 'message', seq: 3, data: 3 });
    const third = new Talk(open(`?session=${session}`));
    await third.expect({ type: 'welcome', session, resumed: true });
    equal((await second.closed()).code, 4000, 'the old connection');
    const fourth = new Talk(open());
    await fourth.expect({ type: 'welcome', resumed: false });
    fourth.say({ type: 'subscribe', id: 1, channel, since: { epoch, seq: 1 } });
    await fourth.expect({ type: 'subscribed', recovered: true, seq: 3 });
    await fourth.expect({ type: 'message', seq: 2 });
    await fourth.expect({ type: 'message', seq: 3 });
    for (const talk of [third, fourth]) {
      talk.ws.close();
      await talk.closed();
    }
  },
  async 'binary is closed with 1003'(open) {
    const talk = new Talk(open());
    await talk.expect({ type: 'welcome' });
    talk.ws.send(new Uint8Array([1, 2, 3]));
    equal((await talk.closed()).code, 1003, 'close');
  },
};

export async function basics(open) {
  const results = [];
  for (const [what, check] of Object.entries(checks)) {
    try {
      await check(open);
      results.push([what, undefined]);
    } catch (error) {
      results.push([what, String(error.message ?? error)]);
    }
  }
  return results;
}
