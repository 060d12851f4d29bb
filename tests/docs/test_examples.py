"""Every Python example of the README and the manual runs, against a real local origin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from old_cache import lay_out_old_cache
from redis_servers import shared_redis

__all__ = ["shared_redis"]

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REDIS = "redis://127.0.0.1:6379"
FOLLOWED = re.compile(
    BLOCK.pattern + r"(?:\n+[^`\n]*(?:`[^`\n]+`[^`\n]*)*\bIt prints:?\n\n```\n(.*?)^```$)?", BLOCK.flags
)
"""A program, and what the page says that it prints."""
EXAMPLES = [
    pytest.param(code, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, code in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The address of the examples' API, served by a process of its own."""
    serve = "import sys, origin\nwith origin.running() as api:\n    print(api.url, flush=True)\n    sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", serve], cwd=ROOT / "examples", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(20) == 0


def test_there_are_examples() -> None:
    """The pages were found, and the README opens with one."""
    assert len(EXAMPLES) > 8
    assert "README.md:1" in [example.id for example in EXAMPLES]


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_runs(code: str, origin: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """An example runs as it stands, warnings being errors, with the API at another address."""
    if REDIS in code:
        code = code.replace(REDIS, request.getfixturevalue("shared_redis").tcp_url)
    (tmp_path / "keyring.py").write_text("def get_password(service, name):\n    return f'{service} {name}' * 2\n")
    lay_out_old_cache(tmp_path / "http_cache.sqlite", f"{origin}/items/1")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
        "CACHE_SECRET": "a secret for the examples only",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace("http://127.0.0.1:8765", origin)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr


def test_demo_does_what_the_readme_says() -> None:
    """The main job runs, and everything in it is as it should be."""

    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/demo.py"], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_commands_are_those_of_tox() -> None:
    """The README's two commands exist in tox.ini, and .ci/run calls the one for the tests."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "pip install tox && tox -e demo" in readme
    assert "pip install tox && tox\n" in readme
    assert "[testenv:demo]" in (ROOT / "tox.ini").read_text("utf-8")
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert 'pip" install --quiet tox' in ci
    assert ci.rstrip().endswith('/tox"')


def without_seconds(text: str) -> str:
    """The same text, however many seconds have passed since something was stored."""
    return re.sub(r"ttl=\d+", "ttl=", text)


@pytest.mark.parametrize("page", [each for each in PAGES if each.parent.name == "tutorial"], ids=lambda page: page.stem)
def test_a_tutorial_may_be_followed_from_above_to_below(page: Path, origin: str, tmp_path: Path) -> None:
    """All its programs in one folder; what it says that they print is what they print."""
    text = page.read_text("utf-8").replace("http://127.0.0.1:8765", origin)
    assert "export CACHE_SECRET=" in text
    for code, printed in FOLLOWED.findall(text):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "CACHE_SECRET": "a secret for the examples only"},
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        assert without_seconds(done.stdout).startswith(without_seconds(printed))
        for said in re.findall(r"^ *print\(.*\)  # (\d+)", code, re.MULTILINE):
            assert said in done.stdout.splitlines()


def test_lines_of_examples_fit_the_page() -> None:
    """A page that a browser shows at 1280 pixels has room for 94 letters."""
    blocks = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    long = [
        f"{page.relative_to(ROOT)}: {line}"
        for page in PAGES[1:]
        for kind, block in blocks.findall(page.read_text("utf-8"))
        for line in block.splitlines()
        if len(line) > 94 and not kind.startswith("{")
    ]
    assert long == []
