"""The whole way in real processes: pulled, killed, pulled again with less traffic, chatted with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers.fake_hub import FakeHub

REPO, NAME = "maker/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct-Q4_1.gguf"


def nibble(hub: FakeHub, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        env=os.environ | {"HF_ENDPOINT": hub.endpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_pull_kill_pull_chat(starter_path: Path) -> None:
    size = starter_path.stat().st_size
    with FakeHub() as hub:
        hub.add_repo(REPO, {NAME: starter_path})
        hub.faults.bytes_per_s, hub.faults.only = 4e6, "/cdn/"
        first = nibble(hub, "pull", REPO)
        while hub.traffic < size * 0.6 and first.poll() is None:
            time.sleep(0.01)
        first.kill()
        first.communicate(timeout=60)
        hub.faults.clear()
        hub.forget()

        again = nibble(hub, "pull", REPO + ":q4_1", "--json")
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, err
        done = json.loads(out.splitlines()[-1])
        assert done["sha256"] == hashlib.sha256(starter_path.read_bytes()).hexdigest()
        assert Path(done["path"]).read_bytes() == starter_path.read_bytes()
        assert sum(seen.sent_bytes for seen in hub.log if seen.is_cdn) < size

        chat = nibble(
            hub, "chat", "-m", NAME.removesuffix(".gguf"), "-p", "Say hi", "--max-tokens", "8"
        )
        answer, err = chat.communicate(timeout=120)
        assert chat.returncode == 0, err
        assert answer.strip()
