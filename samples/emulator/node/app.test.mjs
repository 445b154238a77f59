// With node:test; under vitest or jest only the first import differs (and `after` is `afterAll`).
import { after, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { startEmulator } from './emulator.mjs';

const emulator = await startEmulator(new URL('../greet.yaml', import.meta.url).pathname, ['--strict']);
after(async () => assert.equal(await emulator.stop(), 0));
beforeEach(() => emulator.reset());

test('the application greets', async () => {
  const answer = await emulator.call('/v1/chat/completions', 'POST', { model: 'glm-4.7', messages: [{ role: 'user', content: 'hello you' }] });
  assert.equal((await answer.json()).choices[0].message.content, 'Hello, hello you!');
  const { requests } = await (await emulator.call('/emulator/requests')).json();
  assert.deepEqual(requests.map((one) => one.rule), ['greet']);
  assert.equal((await emulator.call('/emulator/verify')).status, 200);
});
