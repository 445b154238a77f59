// Starts the built server on a free port with a fresh data folder, and stops it after the tests.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const program = process.env.GLIMMER_PROGRAM ?? join(root, 'src/Glimmer.Cli/bin/Release/net10.0/glimmer.dll');

/** Starts a server that plays a scenario (docs/script.md) instead of a model. */
export const startEmulator = (scenario, args = []) => startServer([join(import.meta.dirname, 'scenarios', scenario), ...args], 'emulate');

/** Starts a server; resolves to its base URL, its key and a function that stops it. */
export async function startServer(args = [], command = 'serve') {
  if (!existsSync(program)) throw new Error(`${program} is missing: build the solution first (./test.sh does).`);
  const data = mkdtempSync(join(tmpdir(), 'glimmer-conformance-'));
  const child = spawn('dotnet', [program, command, '--port', '0', '--data', data, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk) => { err += chunk; });
  let stopping = false;
  const exited = new Promise((done) => child.once('exit', (code, signal) => {
    // Every test after this fails to connect, so say here why.
    if (!stopping) process.stderr.write(`the ${command} of ${data} ended with ${signal ?? `code ${code}`}:\n${err.slice(-20_000)}\n`);
    done(code);
  }));
  const ready = new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`the server was not ready within 180 s:\n${out}\n${err}`)), 180_000);
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const url = /https?:\/\/[\d.]+:\d+/.exec(out)?.[0];
      const key = /\b[0-9a-zA-Z]{16,}\.[0-9a-zA-Z]{16,}\b/.exec(out)?.[0];
      if (url && key && /curl/.test(out)) {
        clearTimeout(timer);
        done({ url, key });
      }
    });
    exited.then((code) => fail(new Error(`the server ended with code ${code}:\n${out}\n${err}`)));
  });
  const { url, key } = await ready;
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/health/ready`).catch(() => null);
    if (answer?.status === 200) break;
    if (tries > 3000) throw new Error(`the server never became ready:\n${err}`);
    await new Promise((next) => setTimeout(next, 50));
  }
  return {
    url,
    key,
    base: `${url}/api/paas/v4`,
    banner: () => out,
    log: () => err,
    async stop() {
      stopping = true;
      child.kill('SIGINT');
      const code = await exited;
      rmSync(data, { recursive: true, force: true });
      return code;
    },
  };
}

let shared;

/** One server for all test files of this process; the first to ask starts it. */
export function sharedServer() {
  if (!shared) {
    shared = startServer();
    after(async () => { await (await shared).stop(); });
  }
  return shared;
}

export const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Current weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: 'Name of the city' } },
      required: ['city'],
    },
  },
};
