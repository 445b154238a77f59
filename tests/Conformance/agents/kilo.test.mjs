// Kilo Code's command line, configured by `glimmer configure`: reads, edits and shows a file through its own tools. Grown from OpenCode, it plays the same scenario.
// Its program needs a younger processor than some machines have; where it cannot be installed, the test says so.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('opencode.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

test('a scripted session reads, edits and shows', { skip: existsSync(program('kilo')) ? false : '@kilocode/cli could not be installed here' }, async () => {
  shop.configure('kilo', server);
  const env = { KILO_TELEMETRY_LEVEL: 'off', KILO_DISABLE_AUTOUPDATE: '1', KILO_DISABLE_MODELS_FETCH: '1', KILO_DISABLE_LSP_DOWNLOAD: '1', KILO_DISABLE_DEFAULT_PLUGINS: '1', KILO_DISABLE_SESSION_INGEST: '1' };
  const { code, out, err } = await shop.run(program('kilo'), ['run', '--auto', `Change the greeting in the file ${shop.file} and show it`], env);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  assert.match(out, /It says: [\s\S]*Goodbye there/, `${out}\n${err}\n${server.log()}`);
  assert.equal(shop.read(), 'Goodbye there\n');
});
