"""A key stays where it is: in the environment, on its way to its endpoint, and in no file, log or message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_openai import KEY, FakeOpenAI, Fault

from finlmm_core.config import load_config
from finlmm_core.engines.base import failure_of
from finlmm_core.errors import ConfigError
from finlmm_core.escapes import without_secrets
from finlmm_core.plugins.manager import Plugins

FINLMM = str(Path(sys.executable).with_name("finlmm"))


def test_keys_of_the_environment_and_users_in_urls_are_taken_out() -> None:
    environment = {
        "OPENAI_API_KEY": "sk-abc123def456",
        "HF_TOKEN": "hf_abcdefgh\n",
        "AWS_SECRET_ACCESS_KEY": "sk-abc123def456-and-longer",
        "DB_PASSWORD": "hunter2hunter2",
        "MONKEY": "banana-banana",
        "KEYBOARD_LAYOUT": "german-german",
        "SHORT_KEY": "1",
    }
    text = (
        "401: sk-abc123def456 and sk-abc123def456-and-longer, hf_abcdefgh, hunter2hunter2; banana-banana "
        "german-german 1 https://me:pass%20word@host:8000/v1?x=1 s3://bucket/a@b http://host/p@th 'ftp://u@h'"
    )
    assert without_secrets(text, environment) == (
        "401: [OPENAI_API_KEY] and [AWS_SECRET_ACCESS_KEY], [HF_TOKEN], [DB_PASSWORD]; banana-banana german-german 1 "
        "https://[user]@host:8000/v1?x=1 s3://bucket/a@b http://host/p@th 'ftp://[user]@h'"
    )


def test_the_traceback_of_a_plugin_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", KEY)
    try:
        raise RuntimeError(f"the library said: Bearer {KEY} at https://u:{KEY}@host/")
    except RuntimeError as error:
        failure = failure_of(error)
    assert KEY not in failure.detail and "Bearer [MY_API_KEY]" in failure.detail
    assert "test_security_secrets.py" in failure.detail, "where it happened is still told"


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": KEY},
        {"key_env": KEY},
        {"base_url": f"https://user:{KEY}@host/v1"},
        {"base_url": f"https://host/v1?api_key={KEY}"},
        {"extra_body": {"authorization": KEY}},
        {"tries": KEY},
    ],
)
def test_a_key_given_as_an_option_is_refused_without_being_repeated(options: dict[str, Any]) -> None:
    llm = {"name": "llm", "options": {"model": {"name": "openai", "options": {"path": "m", **options}}}}
    with pytest.raises(ConfigError) as told:
        load_config([], [], {"generate": {"generators": [llm]}}, Plugins.load())
    assert KEY not in str(told.value)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    subprocess.run([FINLMM, "synth", str(folder), "-n", "1", "--pages", "3", "--seed", "5", "-q"], check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 500])
def test_a_build_whose_endpoint_repeats_the_key_writes_it_nowhere(status: int, reports: Path, tmp_path: Path) -> None:
    said = f"panic: headers were {{'authorization': 'Bearer {KEY}'}}"
    config = tmp_path / "config.toml"
    with FakeOpenAI(fault_of=lambda asked: Fault(status, message=said)) as server:
        config.write_text(
            f'reports = "{reports}"\nout = "{tmp_path / "run"}"\n[parse]\nocr = "none"\n'
            '[[generate.generators]]\nname = "llm"\n[generate.generators.options.model]\nname = "openai"\n'
            f'options = {{ path = "m", base_url = "{server.url}", tries = 2, backoff = 0.01, cache = false }}\n'
        )
        answer = subprocess.run(
            [FINLMM, "run", str(config)],
            env={**os.environ, "OPENAI_API_KEY": KEY},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert server.asked and all(one.authorization == f"Bearer {KEY}" for one in server.asked)
    assert KEY not in answer.stdout + answer.stderr
    assert answer.returncode in (0, 2), answer.stderr
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"config.resolved.toml", "sources.json"} <= {path.name for path in written}
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []
