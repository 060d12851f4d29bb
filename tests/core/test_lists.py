"""Lists in fields: RFC 9110 §5.6.1, and how much of them is read (G28, G31)."""

from __future__ import annotations

from core_rows import rows

from sansio_cache.lists import MAX_LENGTH, MAX_MEMBERS, combined, members

MOST = ",".join("a" * MAX_MEMBERS)


@rows(
    "lines expected",
    ("no field", "5.3", [], ""),
    ("a line", "5.3", ["a, b"], "a, b"),
    ("lines in their order", "5.3", ["b", "a"], "b,a"),
    ("an empty line", "5.3", ["", "a"], ",a"),
    ("as many members as are read", "G31", [MOST], MOST),
    ("on a line each", "G31", ["a"] * MAX_MEMBERS, MOST),
    ("one more", "G31", [MOST + ","], None),
    ("one more line", "G31", ["a"] * (MAX_MEMBERS + 1), None),
    ("members within quotes", "G31", [f'"{MOST},"'], None),
    ("as long as is read", "G31", ["a" * MAX_LENGTH], "a" * MAX_LENGTH),
    ("one character more", "G31", ["a" * MAX_LENGTH, "b"], None),
)
def test_the_lines_of_a_list_are_one_text(lines: list[str], expected: str | None) -> None:
    assert combined(lines) == expected


@rows(
    "lines expected",
    ("no field", "5.6.1", [], [""]),
    ("members", "5.6.1", ["A ,\tb", "c"], ["a", "b", "c"]),
    ("an empty one", "5.6.1", ["a,,b"], ["a", "", "b"]),
    ("more than are read", "G31", ["a,"] * MAX_MEMBERS, None),
)
def test_a_list_has_members(lines: list[str], expected: list[str] | None) -> None:
    assert members(lines) == expected
