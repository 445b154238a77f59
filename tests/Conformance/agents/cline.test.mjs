// Cline's command line, configured by `glimmer configure`: reads, edits and shows a file through its own tools, driven by a scenario.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('cline.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

// Local: otherwise it leaves a daemon behind that serves its other windows.
const env = { CLINE_SESSION_BACKEND_MODE: 'local', CLINE_NO_AUTO_UPDATE: '1', DISABLE_TELEMETRY: '1' };
const run = (...args) => shop.run(program('cline'), args, env);
const eventsOf = (out) => out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

test('a scripted session reads, edits and shows', async () => {
  shop.configure('cline', server);
  const { code, out, err } = await run('--json', `Change the greeting in the file ${shop.file} and show it`);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const result = eventsOf(out).at(-1);
  assert.equal(result.finishReason, 'completed');
  assert.equal(result.iterations, 4);
  assert.match(result.text, /It says: [\s\S]*Goodbye there/);
  assert.equal(shop.read(), 'Goodbye there\n');
  assert.ok(result.usage.inputTokens > 0 && result.usage.outputTokens > 0);
});

test('what it made of its configuration is still what glimmer configure wants', () => {
  const settings = readFileSync(join(shop.home, '.cline/data/settings/providers.json'), 'utf8');
  assert.match(settings, /"tokenSource"/); // which only Cline itself writes
  assert.match(shop.configure('cline', server), /already set/);
});

test('a wrong key is told as such', async () => {
  const { out, err } = await run('--json', '--key', 'wrong.key', 'Say something');
  assert.match(out + err, /401|[Aa]uthenticat/);
});
