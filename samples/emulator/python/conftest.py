"""Starts `glimmer emulate` once for a test run. GLIMMER_COMMAND may name the program ("dotnet /path/glimmer.dll")."""
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

try:
    import pytest
except ImportError:  # the context manager below works without it
    pytest = None


@contextmanager
def glimmer_emulator(scenario, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [*os.environ.get("GLIMMER_COMMAND", "glimmer").split(), "emulate", str(scenario), "--port", "0", "--ready-file", str(ready), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the emulator did not start (exit code {process.poll()})")
                time.sleep(0.01)
            yield json.loads(ready.read_text())  # {"url": …, "key": …, "pid": …}
        finally:
            process.terminate()
            process.wait()


def emulator_call(emulator, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {emulator['key']}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(emulator["url"] + path, data, headers, method=method)) as answer:
        return json.load(answer)


if pytest:

    @pytest.fixture(scope="session")
    def emulator_server():
        with glimmer_emulator(Path(__file__).parent.parent / "greet.yaml", "--strict") as server:
            yield server

    @pytest.fixture
    def emulator(emulator_server):
        emulator_call(emulator_server, "POST", "/emulator/reset")
        yield emulator_server
