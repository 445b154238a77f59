// Connections: leaving in the middle of a stream, going on over the same socket, text that is not ASCII, headers.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedServer } from './server.mjs';

const server = await sharedServer();
const url = new URL(`${server.base}/chat/completions`);
const headers = { Authorization: `Bearer ${server.key}`, 'Content-Type': 'application/json' };

const post = (body, init = {}) => fetch(url, { method: 'POST', headers, body: JSON.stringify(body), ...init });

async function ask(body) {
  const response = await post(body);
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return { response, answer, message: answer.choices[0].message };
}

/** The gauge of HTTP requests in flight, less the one that asks. */
async function openRequests() {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find((one) => /^glimmer_requests_open[ {]/.test(one));
  assert.ok(line, text);
  return Number(line.split(' ').at(-1)) - 1;
}

async function waitForIdle(limit = 120_000) {
  const start = Date.now();
  let open;
  do {
    open = await openRequests();
    if (open === 0) return;
    await sleep(20);
  } while (Date.now() - start < limit);
  assert.fail(`${open} requests are still in flight ${limit} ms after their clients left`);
}

/** Waits until a request is in flight. */
async function waitForOpen() {
  for (let tries = 0; await openRequests() === 0; tries++) {
    assert.ok(tries < 6000, 'the request never arrived');
    await sleep(10);
  }
}

/** The server's own line about a request whose client left: how many tokens were made for it. */
async function tokensMade(since) {
  for (let tries = 0; tries < 6000; tries++) {
    const left = server.log().slice(since).split('\n').slice(0, -1).map((line) => JSON.parse(line)).find((line) => line.ClientLeft);
    if (left) return left.CompletionTokens;
    await sleep(20);
  }
  assert.fail(server.log().slice(since));
}

// A constraint keeps the model from ending: this answer is as long as max_tokens.
const endless = {
  model: 'glimmer-tiny',
  messages: [{ role: 'user', content: 'Hello!' }],
  thinking: { type: 'disabled' },
  response_format: { type: 'json_schema', json_schema: { name: 'long', schema: { type: 'array', items: { type: 'integer' }, minItems: 3000 } } },
  max_tokens: 3500,
};

test('a client that leaves in the middle of a stream ends its generation', async () => {
  await waitForIdle();
  const leaving = new AbortController();
  const response = await post({ ...endless, stream: true }, { signal: leaving.signal });
  const reader = response.body.getReader();
  await reader.read();
  assert.ok(await openRequests() >= 1);
  const before = server.log().length;
  leaving.abort();
  await assert.rejects(reader.read());
  await waitForIdle();
  assert.ok(await tokensMade(before) < endless.max_tokens, 'the generation was waited for, not ended');
});

test('a client that leaves while it waits for a whole answer ends its generation', async () => {
  await waitForIdle();
  const leaving = new AbortController();
  const answer = post(endless, { signal: leaving.signal });
  await waitForOpen();
  const before = server.log().length;
  leaving.abort();
  await assert.rejects(answer);
  await waitForIdle();
  assert.ok(await tokensMade(before) < endless.max_tokens, 'the generation was waited for, not ended');
});

test('twenty clients that leave at once leave nothing behind', async () => {
  await waitForIdle();
  await Promise.all(Array.from({ length: 20 }, async () => {
    const leaving = new AbortController();
    const response = await post({ ...endless, stream: true }, { signal: leaving.signal });
    await response.body.getReader().read();
    leaving.abort();
  }));
  await waitForIdle();
});

test('one connection serves request after request, and the next one after an aborted stream', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set();
  const send = (body, read) => new Promise((done, fail) => {
    const request = http.request(url, { method: 'POST', headers, agent }, (response) => read(response, request, done, fail));
    request.on('socket', (socket) => sockets.add(socket));
    request.on('error', fail);
    request.end(JSON.stringify(body));
  });
  const whole = (response, request, done, fail) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (piece) => { text += piece; });
    response.on('end', () => done({ status: response.statusCode, text }));
    response.on('error', fail);
  };
  const short = { model: 'glimmer-tiny', messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 5 };

  assert.equal((await send(short, whole)).status, 200);
  assert.equal((await send({ ...short, messages: [] }, whole)).status, 400);
  const streamed = await send({ ...short, stream: true }, whole);
  assert.ok(streamed.text.endsWith('data: [DONE]\n\n'));
  assert.equal((await send(short, whole)).status, 200);
  assert.equal(sockets.size, 1, 'errors and streams keep the connection open');

  await send({ ...endless, stream: true }, (response, request, done) => {
    response.on('error', () => {});
    response.once('data', () => { request.destroy(); done(); });
  });
  assert.equal((await send(short, whole)).status, 200);
  assert.equal(sockets.size, 2, 'an aborted stream costs its connection only');
  agent.destroy();
});

test('Chinese text comes and goes whole, plain and streamed', async () => {
  const body = { model: 'glimmer-tiny', messages: [{ role: 'user', content: '你是谁？' }], do_sample: false, thinking: { type: 'disabled' }, max_tokens: 100 };
  const { message } = await ask(body);
  assert.match(message.content, /[\u4e00-\u9fff]{2,}/);
  assert.ok(!message.content.includes('\ufffd'));

  const response = await post({ ...body, stream: true });
  let content = '';
  for (const event of (await response.text()).split('\n\n')) {
    if (event.startsWith('data: {')) content += JSON.parse(event.slice(6)).choices[0].delta.content ?? '';
  }
  assert.equal(content, message.content);

  // The same text in escapes is the same request.
  const escaped = JSON.stringify(body).replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const again = await (await fetch(url, { method: 'POST', headers, body: escaped })).json();
  assert.equal(again.choices[0].message.content, message.content);
});

test('X-Glimmer-Model tells who answered in place of a catalogue model, and is absent when nobody stood in', async () => {
  const short = { messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 3 };
  const standIn = await ask({ ...short, model: 'glm-4.7' });
  assert.equal(standIn.response.headers.get('x-glimmer-model'), 'glimmer-tiny; stand-in-for=glm-4.7');
  assert.equal(standIn.answer.model, 'glm-4.7');
  const own = await ask({ ...short, model: 'glimmer-tiny' });
  assert.equal(own.response.headers.get('x-glimmer-model'), null);
  const streamed = await post({ ...short, model: 'glm-4.7', stream: true });
  assert.equal(streamed.headers.get('x-glimmer-model'), 'glimmer-tiny; stand-in-for=glm-4.7');
  await streamed.text();
});

test('a request id is echoed, and every answer has one', async () => {
  const short = { model: 'glimmer-tiny', messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 3 };
  const { answer, response } = await ask({ ...short, request_id: 'my-request-17' });
  assert.equal(answer.request_id, 'my-request-17');
  assert.equal(response.headers.get('x-request-id'), answer.id);
  assert.notEqual((await ask(short)).answer.id, answer.id);
});
