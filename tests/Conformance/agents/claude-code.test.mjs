// Claude Code in print mode: reads, edits and shows a file through its own tools, driven by a scenario.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('agent.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

const env = {
  ANTHROPIC_BASE_URL: `${server.url}/api/anthropic`,
  ANTHROPIC_AUTH_TOKEN: server.key,
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_AUTOUPDATER: '1',
  IS_SANDBOX: '1',
};

test('a scripted session reads, edits and runs', async () => {
  const { code, out, err } = await shop.run(program('claude'), [
    '-p', `Change the greeting in the file ${shop.file} and show it`, '--allowedTools', 'Read,Edit,Bash', '--permission-mode', 'acceptEdits', '--output-format', 'json'], env);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const result = JSON.parse(out);
  assert.equal(result.is_error, false, out);
  assert.equal(result.num_turns, 4);
  assert.match(result.result, /It says: Goodbye there/);
  assert.equal(shop.read(), 'Goodbye there\n');
  assert.ok(result.usage.output_tokens > 0);
});

test('print mode streams', async () => {
  const { code, out, err } = await shop.run(program('claude'), ['-p', 'Say something', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'], env);
  assert.equal(code, 0, `${out}\n${err}`);
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(events.at(-1).result, 'Fine.');
  assert.ok(events.some((event) => event.type === 'stream_event' && event.event.type === 'content_block_delta'));
});

test('a wrong key is told as such', async () => {
  const { out, err } = await shop.run(program('claude'), ['-p', 'Hi', '--output-format', 'json'], { ...env, ANTHROPIC_AUTH_TOKEN: 'wrong.key', CLAUDE_CODE_MAX_RETRIES: '0' });
  assert.match(out + err, /401|authenticat/i);
});
