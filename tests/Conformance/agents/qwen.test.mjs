// Qwen Code, configured by `glimmer configure`: reads, edits and shows a file through its own tools, driven by a scenario.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('qwen.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

// No second session afterwards that gathers memories, no look for updates.
shop.write('home/.qwen/settings.json', JSON.stringify({ memory: { enableManagedAutoMemory: false, enableManagedAutoDream: false }, general: { enableAutoUpdate: false }, privacy: { usageStatisticsEnabled: false } }));

test('a scripted session reads, edits and shows', async () => {
  shop.configure('qwen', server);
  const { code, out, err } = await shop.run(program('qwen'), ['--yolo', '--output-format', 'stream-json', '--include-partial-messages', `Change the greeting in the file ${shop.file} and show it`], { QWEN_TELEMETRY_ENABLED: 'false' });
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  const result = events.at(-1);
  assert.equal(result.is_error, false, out);
  assert.match(result.result, /It says: [\s\S]*Goodbye there/);
  assert.ok(events.some((event) => event.type === 'stream_event' && event.event.delta?.type === 'thinking_delta'), out);
  assert.equal(shop.read(), 'Goodbye there\n');
  assert.ok(result.usage.output_tokens > 0);
});
