import numpy as np
import pytest

from metalm.config import TokenizerConfig
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer, Tokenizer, fit
from metalm.text.tokens import open_tokens, token_path


class Interrupted(Exception):
    pass


class StopsHalfway(ByteTokenizer):
    """Raises on the second piece of a text, as a full disk would."""

    def __init__(self):
        self.pieces_seen = 0

    def encode(self, data):
        self.pieces_seen += 1
        if self.pieces_seen == 2:
            raise Interrupted
        return super().encode(data)


def characters(count):
    return CharacterTokenizer(map(chr, range(0x20000, 0x20000 + count)))


@pytest.mark.parametrize("kind", ["bytes", "characters", "bpe"])
def test_ids_are_those_of_the_training_part(samples, tmp_path, kind):
    for name in ("ja", "el", "en"):
        text = samples[name]
        tokenizer = fit(TokenizerConfig(kind=kind, vocabulary=600), [text])
        ids = open_tokens(text, tokenizer, tmp_path / "tokens")
        assert isinstance(ids, np.memmap)
        assert not ids.flags.writeable
        assert np.array_equal(ids, tokenizer.encode(text.read(0, text.cut.train_end)).ids)


def test_a_text_of_several_pieces_has_the_ids_of_the_whole(samples, task_text, tmp_path):
    text = task_text(b"\n \n".join(text.read(0, text.size) for text in samples.values()))
    tokenizer = fit(TokenizerConfig(kind="bpe", vocabulary=600), [samples["en"], samples["ru"]])
    assert len(list(text.pieces(0, text.cut.train_end))) > 1
    whole = tokenizer.encode(text.read(0, text.cut.train_end)).ids
    assert np.array_equal(open_tokens(text, tokenizer, tmp_path), whole)


@pytest.mark.parametrize(
    ("tokenizer", "dtype"),
    [
        (ByteTokenizer(), "uint8"),
        (characters(255), "uint8"),
        (characters(256), "uint16"),
        (characters(65_535), "uint16"),
        (characters(65_536), "uint32"),
    ],
)
def test_ids_have_the_smallest_type_that_holds_the_vocabulary(
    task_text, tmp_path, tokenizer: Tokenizer, dtype
):
    ids = open_tokens(task_text("nothing of this is known\n" * 100), tokenizer, tmp_path)
    assert ids.dtype == dtype


def test_a_complete_file_is_used_again(task_text, tmp_path):
    text, tokenizer = task_text("once upon a time\n" * 200), ByteTokenizer()
    open_tokens(text, tokenizer, tmp_path)
    written = token_path(text, tokenizer, tmp_path).stat().st_mtime_ns
    open_tokens(text, tokenizer, tmp_path)
    assert token_path(text, tokenizer, tmp_path).stat().st_mtime_ns == written


def test_each_text_and_tokenizer_has_its_own_file(task_text, tmp_path):
    first, second = task_text("once upon a time\n" * 200), task_text("twice upon a time\n" * 200)
    for text in (first, second):
        for tokenizer in (ByteTokenizer(), characters(10)):
            open_tokens(text, tokenizer, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"x", lambda _: b"", lambda data: b"\0" + data]
)
def test_a_damaged_file_is_written_again(task_text, tmp_path, damage):
    text, tokenizer = task_text("once upon a time\n" * 200), ByteTokenizer()
    path = token_path(text, tokenizer, tmp_path)
    whole = open_tokens(text, tokenizer, tmp_path).tobytes()
    path.write_bytes(damage(path.read_bytes()))
    assert open_tokens(text, tokenizer, tmp_path).tobytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_nothing_is_left_when_writing_fails(task_text, tmp_path):
    with pytest.raises(Interrupted):
        open_tokens(task_text("once upon a time\n" * 100_000), StopsHalfway(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_writing_tokens_can_be_ended_and_leaves_no_file(task_text, tmp_path):
    def on_wait():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        open_tokens(task_text("once upon a time\n" * 100), ByteTokenizer(), tmp_path, on_wait=on_wait)
    assert not list(tmp_path.iterdir())
