"""G29: nothing that lies in the folder of a file store costs more than a miss of its own URL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from local_origin import Origin, fresh

from sansio_cache import CachedSession, CacheWarning, FileStore

pytestmark = pytest.mark.once

LARGE = bytes(range(256)) * 12_000


def _full(place: Path) -> None:
    (place / "full").mkdir(parents=True)


def _huge(place: Path) -> None:
    place.touch()
    os.truncate(place, 5 * 1024**3)


def _elsewhere(place: Path) -> None:
    place.symlink_to("/etc")


TAKEN: list[Callable[[Path], object]] = [_full, Path.mkdir, os.mkfifo, _huge, _elsewhere]
PLACES = ["leases", "marks", "partitions/??/*", "resources/??/*", "resources/??/*/*", "bodies/??/*", "bodies/??"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def place_of(what: str, place: Path, key: str) -> Path:
    """Where something of the one URL that is stored lies."""
    if what == "leases":
        return place / what / key[:2] / key
    [found] = place.glob("resources/??/*" if what == "marks" else what)
    return place / what / found.parent.name / found.name if what == "marks" else found


@pytest.mark.parametrize("take", TAKEN)
@pytest.mark.parametrize("what", PLACES)
def test_a_place_that_is_taken(
    place: Path, key: str, origin: Origin, what: str, take: Callable[[Path], object]
) -> None:
    """The URL is answered as the origin answers, and other URLs are hits all the time."""
    bad, good = origin.on("/bad", fresh(LARGE)), origin.on("/good", fresh(b"good"))
    with CachedSession(FileStore(place), secret_key=key) as session:
        where = place_of(what, place, session.get(bad).cache_key or "")
        session.get(good)
        where.parent.mkdir(exist_ok=True)
        if where.is_dir() and not where.is_symlink():
            shutil.rmtree(where)
        else:
            where.unlink(missing_ok=True)
        take(where)
        for method in ("GET", "GET", "POST", "GET"):
            assert session.request(method, bad).content == LARGE
            assert session.get(good).from_cache
        session.cache.clear()
        assert not session.get(good).from_cache
        assert session.get(good).from_cache


def picture(folder: Path) -> dict[Path, tuple[float, int]]:
    """Whether anything is touched there, or comes or goes."""
    return {each: ((at := each.lstat()).st_mtime, at.st_mode) for each in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("kind", ["resources", "partitions", "bodies", "pending", "marks", "leases"])
def test_a_link_in_the_place_of_a_folder(place: Path, key: str, origin: Origin, kind: str) -> None:
    """The cache is bypassed with a warning, and nothing beyond the link is touched, in use or by maintenance."""
    url = origin.on("/a", fresh(LARGE))
    with CachedSession(FileStore(place), secret_key=key) as session:
        session.get(url)
    stranger = place.parent / "stranger"
    shutil.copytree(place / kind, stranger, symlinks=True)
    (stranger / "thesis.txt").write_text("years of work")
    for each in [*stranger.rglob("*"), stranger]:
        os.utime(each, (0, 0), follow_symlinks=False)
    before = picture(stranger)
    (place / kind).rename(place / "away")
    (place / kind).symlink_to(stranger)
    session = CachedSession(FileStore(place), secret_key=key)
    with pytest.warns(CacheWarning, match=f"{kind} is not a folder of ours"):
        assert session.get(url).content == LARGE
    session.post(url)
    session.close()
    assert picture(stranger) == before
