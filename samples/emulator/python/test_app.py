"""Runs under pytest, and without it: python3 test_app.py."""
from pathlib import Path

from conftest import emulator_call, glimmer_emulator


def test_greeting(emulator):
    answer = emulator_call(emulator, "POST", "/v1/chat/completions", {"model": "glm-4.7", "messages": [{"role": "user", "content": "hello you"}]})
    assert answer["choices"][0]["message"]["content"] == "Hello, hello you!"
    asked = emulator_call(emulator, "GET", "/emulator/requests")["requests"]
    assert [(one["rule"], one["messages"][-1]["text"]) for one in asked] == [("greet", "hello you")]
    assert emulator_call(emulator, "GET", "/emulator/verify")["holds"]


if __name__ == "__main__":
    with glimmer_emulator(Path(__file__).parent.parent / "greet.yaml", "--strict") as server:
        test_greeting(server)
    print("passed")
