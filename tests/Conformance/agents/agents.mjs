// All agents in one process. Each file also runs alone.
import './claude-code.test.mjs';
import './opencode.test.mjs';
import './codex.test.mjs';
import './gemini-cli.test.mjs';
import './cline.test.mjs';
import './droid.test.mjs';
import './kilo.test.mjs';
import './copilot.test.mjs';
import './grok.test.mjs';
import './qwen.test.mjs';
