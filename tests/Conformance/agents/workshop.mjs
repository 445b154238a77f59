// A folder for an agent to work in, with a home of its own, and a way to run the agent there.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const glimmer = process.env.GLIMMER_PROGRAM ?? resolve(import.meta.dirname, '../../../src/Glimmer.Cli/bin/Release/net10.0/glimmer.dll');

export const program = (name) => join(import.meta.dirname, 'node_modules', '.bin', name);

export function workshop() {
  const root = mkdtempSync(join(tmpdir(), 'glimmer-agent-'));
  const home = join(root, 'home');
  const work = join(root, 'work');
  mkdirSync(home);
  mkdirSync(work);
  const file = join(work, 'greeting.txt');
  writeFileSync(file, 'Hello there\n');
  return {
    home,
    work,
    file,
    read: () => readFileSync(file, 'utf8'),
    write: (path, text) => { mkdirSync(join(root, path, '..'), { recursive: true }); writeFileSync(join(root, path), text); },
    /** Lets `glimmer configure` write a tool's configuration. */
    configure(tool, server) {
      const { status, stdout, stderr } = spawnSync('dotnet', [glimmer, 'configure', tool, '--home', home, '--url', server.url, '--yes'], { encoding: 'utf8', env: { ...process.env, GLIMMER_API_KEY: server.key } });
      assert.equal(status, 0, stderr);
      assert.ok(!stdout.includes(server.key));
      return stdout;
    },
    /** Runs a program to its end; resolves to its output. */
    run(command, args, env, timeout = 240_000) {
      return new Promise((done, fail) => {
        const child = spawn(command, args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: home, TERM: 'dumb', NO_COLOR: '1', ...env } });
        let out = '';
        let err = '';
        child.stdout.on('data', (chunk) => { out += chunk; });
        child.stderr.on('data', (chunk) => { err += chunk; });
        const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
        child.once('error', fail);
        // Its output may still be on its way when it has ended; what it leaves running may hold the pipes for ever.
        child.once('exit', (code) => {
          clearTimeout(timer);
          const ended = () => done({ code, out, err });
          const late = setTimeout(ended, 10_000);
          child.once('close', () => { clearTimeout(late); ended(); });
        });
      });
    },
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}
