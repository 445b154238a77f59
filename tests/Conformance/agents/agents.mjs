// All agents in one process. Each file also runs alone.
import './claude-code.test.mjs';
import './codex.test.mjs';
