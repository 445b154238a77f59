// Grok CLI, configured by `glimmer configure`: reads, edits and shows a file through its own tools. Its print mode is the one here that does not stream.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('grok.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });
const run = (...args) => shop.run(program('grok'), ['--model', 'glm-4.7', ...args], {});

test('a scripted session reads, edits and shows', async () => {
  shop.configure('grok', server);
  const { code, out, err } = await run('--prompt', `Change the greeting in the file ${shop.file} and show it`);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const messages = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(messages.filter((message) => message.role === 'tool').length, 3, out);
  assert.equal(messages.at(-1).content, 'It says: Goodbye there');
  assert.equal(shop.read(), 'Goodbye there\n');
});

test('a wrong key is told as such', async () => {
  const { out, err } = await run('--api-key', 'wrong.key', '--prompt', 'Hi');
  assert.match(out + err, /401|[Aa]uthenticat/);
});
