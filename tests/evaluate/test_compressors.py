import lzma
import math
import random

import pyppmd
import pytest

from metalm.evaluate.baselines import PPMD, XZ, primed_ppmd
from metalm.evaluate.compressors import PPMD_ORDER, added_nats, ppmd, xz
from metalm.evaluate.protocol import Protocol, evaluate

WORDS = random.Random(1).choices(
    ["Bär", "Straße", "läuft", "trinkt", "süßen", "Tee", "猫も", "見ている"], k=900
)
TEXT = " ".join(WORDS).encode()
PROTOCOL = Protocol(split_id="s", support_bytes=(0, 1000))


@pytest.mark.parametrize("compress", [ppmd, xz])
def test_what_a_query_adds_is_counted_in_nats(compress):
    added = added_nats(compress, TEXT[:3000], TEXT[3000:])

    assert added == (len(compress(TEXT)) - len(compress(TEXT[:3000]))) * 8 * math.log(2)
    assert added < added_nats(compress, b"", TEXT[3000:])  # it has learned the words


def test_ppmd_loses_nothing():
    decoder = pyppmd.Ppmd7Decoder(PPMD_ORDER, 256 << 20)
    assert decoder.decode(ppmd(TEXT), len(TEXT)) == TEXT


def test_xz_loses_nothing():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
    assert lzma.decompress(xz(TEXT), lzma.FORMAT_RAW, filters=filters) == TEXT


def test_a_repeated_query_costs_almost_nothing():
    noise = random.Random(2).randbytes(4000)
    assert added_nats(ppmd, noise, noise) < 0.1 * added_nats(ppmd, b"", noise)
    assert added_nats(xz, noise, noise) < 0.03 * added_nats(xz, b"", noise)


def test_they_belong_to_the_online_track_and_the_primed_one_knows_more(texts):
    primed = primed_ppmd([text.read(0, text.cut.train_end) for text in texts], "s")
    rows = {c.method: list(evaluate(c, texts, PROTOCOL)) for c in (PPMD, XZ, primed)}

    assert {row.track for made in rows.values() for row in made} == {"online"}
    for plain, known in zip(rows["PPMd"], rows["PPMd primed"], strict=True):
        assert known.key == plain.key
        assert known.nats < plain.nats
    assert rows["PPMd primed"][0].adaptation == {
        "order": 6,
        "primed": sum(text.cut.train_end for text in texts),
        "split": "s",
    }
