"""Compressed pieces are one gzip member of bounded pieces."""

import gzip
import os
import zlib

import pytest

from scalpels_exporter.exposition.compress import INPUT_BYTES, gzip_pieces


@pytest.mark.parametrize("pieces", [[], [b""], [b"abc", b"", b"def"], [b"x" * 3_000_000], [os.urandom(700_000)] * 2])
def test_what_is_compressed_comes_back(pieces: list[bytes]) -> None:
    packed = list(gzip_pieces(pieces))
    assert gzip.decompress(b"".join(packed)) == b"".join(pieces)
    single = zlib.decompressobj(31)
    single.decompress(b"".join(packed))
    assert single.eof
    assert single.unused_data == b"", "some readers take the first member alone"
    assert all(packed)
    assert max(map(len, packed)) <= 2 * INPUT_BYTES


def test_compression_begins_before_the_last_piece_is_there() -> None:
    taken = []

    def pieces():
        for number in range(20):
            taken.append(number)
            yield os.urandom(100_000)

    assert next(gzip_pieces(pieces()))
    assert len(taken) < 20
