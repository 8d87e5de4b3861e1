"""Files of JSON lines: whole, compressed, torn, broken, damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from asymtheory.errors import InputError
from asymtheory.jsonlines import read


def test_lines_are_read_in_order_from_text_and_from_archives(tmp_path: Path) -> None:
    text = '{"a": 1}\n{"b": "\u2028 is not the end of a line, π"}\r\n{"c": []}'  # the last line may lack its newline
    wanted = [{"a": 1}, {"b": "\u2028 is not the end of a line, π"}, {"c": []}]
    (tmp_path / "x.jsonl").write_bytes(text.encode())
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / "x.jsonl") == read(str(tmp_path / "x.jsonl.gz")) == wanted
    (tmp_path / "x.jsonl").write_bytes(b"")
    assert read(tmp_path / "x.jsonl") == []


def test_only_a_last_line_without_its_newline_is_torn(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\n{"b": ')
    assert read(file) == [{"a": 1}]
    file.write_text('{"a": 1}\n{"b": \n')
    with pytest.raises(InputError, match=r"^rows .*x\.jsonl, line 2: is not JSON"):
        read(file, "rows")


@pytest.mark.parametrize("line", ["", "[1]", "3", "null", "{]"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' + line + '\n{"c": 1}\n')
    with pytest.raises(InputError, match=r"^results .*x\.jsonl, line 2: is not JSON \(an object a line is needed\)$"):
        read(tmp_path / "x.jsonl")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 99)
    damaged = (b"no archive", whole[: len(whole) // 2], whole[:14] + bytes(8) + whole[22:])
    contents = {"x.jsonl": b'{"a": "\xff"}\n', **{f"{i}.jsonl.gz": content for i, content in enumerate(damaged)}}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"^results .*{name}: cannot be read \(.+\)$"):
            read(tmp_path / name)
    with pytest.raises(InputError, match=r"nowhere\.jsonl: cannot be read \(No such file or directory\)$"):
        read(tmp_path / "nowhere.jsonl")
