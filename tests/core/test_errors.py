"""The errors: one root, the evidence kept, and fit to travel."""

from __future__ import annotations

import pickle

import itsdangerous
import pytest

from sansio_cache import errors
from sansio_cache.errors import BadSignature, BrokenRecord, CacheError, KeyRequired, NotCached, SettingError

KEY = "0123456789abcdef" * 4


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_root(name: str) -> None:
    root = UserWarning if name.endswith("Warning") else CacheError
    assert issubclass(getattr(errors, name), root)


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="no attribute 'BadSecret'"):
        errors.BadSecret  # type: ignore[attr-defined] # noqa: B018
    assert BadSignature.__module__ == BrokenRecord.__module__ == "sansio_cache.errors"


def test_the_tree_is_drawn_as_it_is() -> None:
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")
    assert issubclass(KeyRequired, SettingError)
    assert issubclass(SettingError, ValueError)


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (BadSignature("http://x/", KEY, "signature"), {"url": "http://x/", "key": KEY, "reason": "signature"}),
        (BadSignature(None, KEY, "body"), {"url": None, "key": KEY, "reason": "body"}),
        (BrokenRecord("length"), {"reason": "length"}),
        (NotCached("http://x/"), {"url": "http://x/"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_keeps_its_evidence_and_travels(error: CacheError, evidence: dict[str, object]) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert {name: getattr(again, name) for name in evidence} == evidence
    assert str(again) == str(error)


@pytest.mark.parametrize("reason", ["signature", "place", "body"])
def test_a_bad_signature_names_the_ways_out(reason: str) -> None:
    """G5."""
    message = str(BadSignature("http://x/", KEY, reason))
    assert all(
        way in message for way in ("secret_key=[old, new]", "force_refresh=True", "session.cache.delete", '"miss"')
    )
    assert "http://x/" in message
    assert KEY[:16] in message


def test_a_bad_signature_is_what_itsdangerous_calls_one() -> None:
    """G5: programs that catch ``itsdangerous.BadSignature`` around another cache go on to do so."""
    error = BadSignature("http://x/", KEY, "signature")
    assert isinstance(error, itsdangerous.BadSignature)
    assert error.message == str(error)
    assert error.payload is None


@pytest.mark.parametrize("reason", ["signature", "place", "body"])
def test_the_message_of_a_bad_signature_is_one_line_and_one_of_advice(reason: str) -> None:
    first, advice = str(BadSignature("http://x/", KEY, reason)).splitlines()
    assert len(first) < 150
    assert "secret_key" not in first
    assert "secret_key" in advice


@pytest.mark.parametrize(
    "error",
    [
        BadSignature("http://me:S3CRET@x/?access_token=S3CRET", KEY, "place"),
        NotCached("http://me:S3CRET@x/?sig=S3CRET"),
    ],
)
def test_no_message_shows_what_a_url_keeps_secret(error: BadSignature | NotCached) -> None:
    """G26: error trackers keep messages. Programs still have the URL as an attribute."""
    assert "S3CRET" not in str(error) + repr(error)
    assert "S3CRET" in (error.url or "")
