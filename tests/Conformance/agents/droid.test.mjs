// Factory Droid, configured by `glimmer configure`: reads, edits and shows a file through its own tools, over the Anthropic dialect and over chat completions.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('droid.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });
shop.configure('droid', server);

const env = { FACTORY_AIRGAP_ENABLED: '1', FACTORY_DROID_AUTO_UPDATE_ENABLED: 'false', FACTORY_DISABLE_KEYRING: '1' };
const run = (...args) => shop.run(program('droid'), ['exec', '--auto', 'low', '--model', 'custom:GLM-4.7-(Glimmer)-0', ...args], env);
const prompt = `Change the greeting in the file ${shop.file} and show it`;

test('a scripted session over the Anthropic dialect', async () => {
  const { code, out, err } = await run('--output-format', 'json', prompt);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const result = JSON.parse(out);
  assert.equal(result.is_error, false, out);
  assert.equal(result.num_turns, 4);
  assert.match(result.result, /It says: Goodbye there/);
  assert.equal(shop.read(), 'Goodbye there\n');
  assert.ok(result.usage.output_tokens > 0);
});

test('a scripted session over chat completions, with its thinking', async () => {
  const file = join(shop.home, '.factory', 'settings.json');
  const settings = JSON.parse(readFileSync(file, 'utf8'));
  for (const model of settings.customModels) Object.assign(model, { provider: 'generic-chat-completion-api', baseUrl: `${server.url}/api/coding/paas/v4` });
  writeFileSync(file, JSON.stringify(settings));
  shop.write('work/greeting.txt', 'Hello there\n');
  const { code, out, err } = await run('--output-format', 'stream-json', prompt);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.match(events.at(-1).finalText, /It says: Goodbye there/);
  assert.ok(events.some((event) => event.type === 'reasoning' && /First I look/.test(event.text)), out);
  assert.equal(shop.read(), 'Goodbye there\n');
});

test('a wrong key is told as such', async () => {
  const file = join(shop.home, '.factory', 'settings.json');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(server.key, 'wrong.key'));
  const { code, out, err } = await run('--output-format', 'stream-json', 'Hi');
  assert.notEqual(code, 0);
  assert.match(out + err, /401|[Aa]uthenticat|[Uu]nauthori/);
});
