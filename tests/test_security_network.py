"""Nothing asks the network unless a plugin with an endpoint is configured: a whole build with all sockets blocked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FINLMM = str(Path(sys.executable).with_name("finlmm"))

#: Loaded by every Python process, workers included: who asks for a name or a connection is written down and refused.
GUARD = """
import os, sys

def guard(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
                 "socket.gethostbyaddr", "urllib.Request", "http.client.connect", "smtplib.connect"):
        where = arguments[1] if event in ("socket.connect", "socket.bind") and len(arguments) > 1 else arguments[0]
        if isinstance(where, (str, bytes)) and event in ("socket.connect", "socket.bind"):
            return  # a socket of the file system
        if event == "socket.bind" and tuple(where[:2]) == ("::1", 0):
            return  # how urllib3 learns, when it is imported, whether this machine knows IPv6
        with open(os.environ["NETWORK_LOG"], "a") as file:
            file.write(f"{os.getpid()} {event} {where!r}\\\\n")
        raise PermissionError(f"the network is blocked: {event} {where!r}")

with open(os.environ["NETWORK_LOG"], "a") as file:
    file.write(f"{os.getpid()} begins\\\\n")
sys.addaudithook(guard)
"""


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, str]:
    """The environment of a command that has no network."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD.replace("\\\\n", "\\n"))
    return {
        **{name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))},
        "PYTHONPATH": str(tmp_path / "guard"),
        "NETWORK_LOG": str(tmp_path / "network.log"),
    }


def alone(command: list[str]) -> list[str]:
    """Return the command in a network of its own without any way out, where the system lets us make one."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-n", "true"], capture_output=True, check=False).returncode != 0:
        return command  # then the guard alone has to do
    return [unshare, "-n", *command]


def run(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = alone([FINLMM, *map(str, arguments)])
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_the_guard_sees_and_stops_what_asks(guarded: dict[str, str]) -> None:
    code = "import socket; socket.create_connection(('example.com', 80), timeout=1)"
    answer = subprocess.run([sys.executable, "-c", code], env=guarded, capture_output=True, text=True, check=False)
    assert "the network is blocked" in answer.stderr
    assert "socket.getaddrinfo" in Path(guarded["NETWORK_LOG"]).read_text()


@pytest.mark.slow
def test_a_whole_build_with_audit_report_and_check_asks_nothing(guarded: dict[str, str], tmp_path: Path) -> None:
    reports, out = tmp_path / "reports", tmp_path / "run"
    commands: list[list[str | Path]] = [
        ["synth", reports, "-n", "2", "--pages", "3", "--seed", "5", "-q"],
        ["build", reports, "-o", out, "--workers", "2"],  # OCR, all generators and aligners, samples, page, audit
        ["audit", out],
        ["report", out],
        ["check", out / "config.resolved.toml"],
        ["plugins"],
    ]
    for command in commands:
        answer = run(guarded, *command)
        assert answer.returncode == 0, (command, answer.stderr)
    assert (out / "report" / "index.html").is_file() and (out / "audit" / "index.html").is_file()
    log = Path(guarded["NETWORK_LOG"]).read_text().splitlines()
    begun = [line for line in log if line.endswith(" begins")]
    assert len(begun) >= len(commands) + 2, "workers were guarded too"
    assert [line for line in log if not line.endswith(" begins")] == []


@pytest.mark.slow
def test_a_plugin_with_an_endpoint_is_the_one_that_asks(guarded: dict[str, str], tmp_path: Path) -> None:
    made = run(guarded, "synth", tmp_path / "reports", "-n", "1", "--pages", "3", "--seed", "5", "-q")
    assert made.returncode == 0, made.stderr
    config = tmp_path / "config.toml"
    config.write_text(
        f'reports = "{tmp_path / "reports"}"\nout = "{tmp_path / "run"}"\n[parse]\nocr = "none"\n'
        '[[generate.generators]]\nname = "llm"\n[generate.generators.options.model]\nname = "openai"\n'
        'options = { path = "m", base_url = "http://127.0.0.1:9/v1", tries = 1, cache = false }\n'
    )
    answer = run(guarded, "run", config)
    asked = [line for line in Path(guarded["NETWORK_LOG"]).read_text().splitlines() if not line.endswith(" begins")]
    assert asked and all("127.0.0.1" in line for line in asked), answer.stderr
