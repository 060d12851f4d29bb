"""What GitHub's API sends, through every client: validators of each user's own, the quota in every head, pages."""

from __future__ import annotations

import json

import pytest
import requests
from every_client import CLIENTS, Face, Got, play
from github_api import GitHub
from local_origin import Origin

from sansio_cache import CachedSession

ANN = {"Authorization": "Bearer ann"}
every_client = pytest.mark.parametrize("client", CLIENTS)


def title(got: Got) -> str:
    """Of an issue, or of the first of a list."""
    shown = json.loads(got.body)
    return str((shown[0] if isinstance(shown, list) else shown)["title"])


@pytest.fixture
def github(origin: Origin) -> GitHub:
    return GitHub(origin)


@every_client
def test_a_validation_costs_no_quota_and_brings_the_new_quota_along(client: str, github: GitHub) -> None:
    url = github.url("/repos/o/r/issues/1")

    async def scenario(face: Face) -> None:
        first = await face.get(url, headers=ANN)
        assert not first.from_cache
        assert github.left == 4999
        hit = await face.get(url, headers=ANN)
        assert hit.from_cache, "max-age is a minute"
        assert github.origin.count() == 1
        github.left = 42  # another program of the same user
        validated = await face.get(url, headers=ANN, refresh=True)
        assert validated.from_cache
        assert "fwd-status=304" in validated.cache_status
        assert github.left == 42
        assert validated.headers["X-RateLimit-Remaining"] == "42"
        assert validated.headers["ETag"] == first.headers["ETag"]
        assert title(validated) == title(first) == "a fault"
        again = await face.get(url, headers=ANN)
        assert again.headers["X-RateLimit-Remaining"] == "42", "the renewed head is what is stored"
        github.title = "a worse fault"
        changed = await face.get(url, headers=ANN, refresh=True)
        assert not changed.from_cache
        assert title(changed) == "a worse fault"
        assert github.left == 41

    play(client, scenario, cache="memory:")


@every_client
def test_each_user_and_media_type_has_answers_of_its_own(client: str, github: GitHub) -> None:
    url = github.url("/repos/o/r")
    bob = {"Authorization": "Bearer bob"}
    text = {**ANN, "Accept": "application/vnd.github.text+json"}

    async def scenario(face: Face) -> None:
        for _ in range(2):
            tags = {(await face.get(url, headers=headers)).headers["ETag"] for headers in (ANN, bob, text, {})}
            assert len(tags) == 4
        assert github.origin.count() == 4
        await face.get(url, headers=bob, refresh=True)
        assert github.left == 4996, "each is validated by its own tag"

    play(client, scenario, cache="memory:")


@pytest.mark.parametrize("always", [True, False])
def test_pages_are_followed_from_the_store(github: GitHub, always: bool) -> None:
    with CachedSession("memory:", always_revalidate=always) as session:
        session.headers.update(ANN)
        for _ in range(2):
            url: str | None = github.url("/repos/o/r/issues")
            titles: list[str] = []
            while url:
                response = session.get(url)
                titles.append(response.json()[0]["title"])
                url = response.links.get("next", {}).get("url")
            assert titles == ["a fault", "issue 2", "issue 3"]
        assert github.left == 4997
        assert github.origin.count() == (6 if always else 3)


def test_a_change_is_seen_at_once_in_the_issue_and_by_its_tag_in_the_list(github: GitHub) -> None:
    issue, issues = github.url("/repos/o/r/issues/1"), github.url("/repos/o/r/issues")
    with CachedSession("memory:") as session:
        session.headers.update(ANN)
        session.get(issue)
        session.get(issues, tags=["issues"])
        response: requests.Response = session.patch(issue, json={"title": "mended"})
        assert response.json()["title"] == "mended"
        assert session.get(issue).json()["title"] == "mended"
        assert session.get(issues).json()[0]["title"] == "a fault"
        assert session.cache.delete(tags=["issues"]) == 1
        assert session.get(issues).json()[0]["title"] == "mended"
