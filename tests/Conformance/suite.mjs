// All conformance tests in one process against one server. Each file also runs alone: node --test openai.test.mjs
import './openai.test.mjs';
import './ai-sdk.test.mjs';
import './langchain.test.mjs';
import './framing.test.mjs';
import './errors.test.mjs';
import './transport.test.mjs';
import './anthropic.test.mjs';
import './ollama.test.mjs';
import './gemini.test.mjs';
import './llama.test.mjs';
import './mcp.test.mjs';
import './openai-v1.test.mjs';
import './tasks.test.mjs';
import './emulator.test.mjs';
