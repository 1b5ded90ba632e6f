"""The client of the Hub without a connection: its cache, at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from pairgen import hub_client


def test_offline_if_unreachable_restores_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for reachable in (True, False):
        monkeypatch.setattr(hub_client, "is_reachable", lambda _, answer=reachable: answer)
        with hub_client.offline_if_unreachable():
            assert constants.HF_HUB_OFFLINE is not reachable
        assert constants.HF_HUB_OFFLINE is False


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["build", "arc", "--source", "some/name", "--out", "o"], ["train", "pairs", "--model", "some/name"]]
)
def test_unreachable_hub_is_one_message_at_once(command: list[str], tmp_path: Path) -> None:
    pairgen = [sys.executable, "-m", "pairgen"]
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    if command[0] == "train":
        build = [*pairgen, "build", "arc", "--source", "train=sample:5", "--out", "pairs"]
        assert subprocess.run(build, cwd=tmp_path, capture_output=True, check=False).returncode == 0
        command = [*command, "--out", "run"]
    start = time.monotonic()
    done = subprocess.run(
        [*pairgen, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(("pairgen: some/name: cannot be loaded from the Hub", "pairgen: --model some/name"))
    assert len(done.stderr.splitlines()) == 1
    assert time.monotonic() - start < 20, "retries took a minute"
