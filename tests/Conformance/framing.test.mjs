// The bytes of a stream against the strictest client's rules: one data line per event, one empty line, nothing else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { sharedServer, weather } from './server.mjs';

const server = await sharedServer();
const run = promisify(execFile);

async function curl(body) {
  const { stdout } = await run('curl', ['-sN', '-H', `Authorization: Bearer ${server.key}`, '-H', 'Content-Type: application/json',
    '-d', JSON.stringify(body), '-D', '-', `${server.base}/chat/completions`], { encoding: 'buffer', maxBuffer: 1 << 26 });
  const split = stdout.indexOf('\r\n\r\n');
  return { headers: stdout.subarray(0, split).toString('latin1'), bytes: stdout.subarray(split + 4) };
}

const requests = {
  text: { messages: [{ role: 'user', content: 'Hello!' }] },
  chinese: { messages: [{ role: 'user', content: '你好，讲一个故事。' }] },
  tools: { messages: [{ role: 'user', content: 'What is the weather in Paris?' }], tools: [weather], tool_choice: 'required' },
  'tool stream': { messages: [{ role: 'user', content: 'What is the weather in Paris?' }], tools: [weather], tool_choice: 'required', tool_stream: true },
  'no thinking': { messages: [{ role: 'user', content: 'Hello!' }], thinking: { type: 'disabled' } },
};

for (const [name, request] of Object.entries(requests)) {
  test(`framing: ${name}`, async () => {
    const { headers, bytes } = await curl({ model: 'glimmer-tiny', stream: true, max_tokens: 200, do_sample: false, ...request });
    assert.match(headers, /^HTTP\/1\.1 200/);
    assert.match(headers, /content-type: text\/event-stream/i);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    assert.ok(text.endsWith('data: [DONE]\n\n'));
    const events = text.slice(0, -2).split('\n\n');
    const chunks = [];
    for (const event of events) {
      assert.match(event, /^data: [^\n\r]+$/);
      if (event !== 'data: [DONE]') chunks.push(JSON.parse(event.slice(6)));
    }
    assert.equal(events.filter((event) => event === 'data: [DONE]').length, 1);
    const ids = new Set(chunks.map((chunk) => chunk.id));
    assert.equal(ids.size, 1);
    chunks.forEach((chunk, index) => {
      const last = index === chunks.length - 1;
      assert.equal(chunk.usage !== undefined && chunk.usage !== null, last, 'usage is on the last chunk only');
      assert.equal(typeof chunk.choices[0].finish_reason === 'string', last, 'finish_reason is on the last chunk only');
      assert.equal(chunk.choices[0].delta.role, 'assistant');
      assert.ok(Number.isInteger(chunk.created));
    });
    const order = chunks.map((chunk) => chunk.choices[0].delta).map((delta) => (delta.reasoning_content ? 0 : delta.content ? 1 : delta.tool_calls ? 2 : -1)).filter((rank) => rank >= 0);
    assert.deepEqual(order, [...order].sort(), 'reasoning, then content, then calls');
  });
}

test('an error before the first byte is JSON with only error.code and error.message', async () => {
  const { headers, bytes } = await curl({ model: 'glimmer-tiny', stream: true, messages: [] });
  assert.match(headers, /^HTTP\/1\.1 400/);
  assert.match(headers, /content-type: application\/json/i);
  const body = JSON.parse(bytes.toString('utf8'));
  assert.deepEqual(Object.keys(body), ['error']);
  assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message']);
  assert.match(body.error.code, /^\d+$/);
});

test('the curl line of the banner works as pasted', async () => {
  const banner = server.banner();
  const line = banner.slice(banner.indexOf('curl')).split(/\n(?!\s)/)[0];
  const { stdout } = await run('bash', ['-c', line], { maxBuffer: 1 << 24 });
  assert.ok(JSON.parse(stdout).choices[0].message.content.length > 0);
});
