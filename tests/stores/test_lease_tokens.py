"""Tokens of leases: only one that is surely a dead process' of this host is abandoned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sansio_cache_adapters.stores.lease_tokens import is_abandoned, new_token

SHOW = """
import os
from sansio_cache_adapters.stores.lease_tokens import new_token
print(new_token().hex(), flush=True)
input()
"""


def test_tokens_differ_and_ours_is_held() -> None:
    one, other = new_token(), new_token()
    assert one != other
    assert len(one) == 16
    assert not is_abandoned(one)


@pytest.mark.parametrize("token", [b"", b"one", b"x" * 16, b"x" * 64], ids=len)
def test_a_token_of_another_make_is_held(token: bytes) -> None:
    assert not is_abandoned(token)


def test_another_host_is_never_taken_for_dead() -> None:
    """The number of a process that is not there, from a host or a container that is not ours."""
    token = new_token()
    assert not is_abandoned(token[:8] + bytes(each ^ 255 for each in token[8:12]) + (2**31 - 2).to_bytes(4, "big"))


@pytest.mark.skipif(not os.path.exists("/proc/self/ns/pid"), reason="who shares our process numbers is not known here")
def test_a_process_that_lives_has_died_and_was_waited_for() -> None:
    """G21: alive it holds; killed it does not, from the moment it is dead and not from when its parent notes it."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", SHOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        token = bytes.fromhex(process.stdout.readline().decode())
        alive = is_abandoned(token)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        dead = is_abandoned(token)
    assert (alive, dead, is_abandoned(token)) == (False, True, True)


def test_a_token_reads_no_file() -> None:
    """The first miss of a process may be on an event loop: nothing may block there."""
    script = """
import sys
from sansio_cache_adapters.stores.lease_tokens import is_abandoned, new_token
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
assert not is_abandoned(new_token())
assert opened == [], opened
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
