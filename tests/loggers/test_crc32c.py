import numpy as np
import pytest
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow as theirs
from tensorboard.summary.writer import record_writer

from common.loggers.crc32c import SHORT, crc32c, masked_crc32c
from common.loggers.tensorboard import TensorBoardLogger


def test_the_check_value_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    "count", [4, 5, 7, 8, 31, 32, 33, 63, SHORT - 1, SHORT, SHORT + 1, 4096, 5001, 65537]
)
def test_checksums_are_tensorboards_whatever_the_length(count):
    data = np.random.default_rng(count).bytes(count)
    assert crc32c(data) == theirs.crc32c(data)
    assert crc32c(bytes(count)) == theirs.crc32c(bytes(count))
    assert masked_crc32c(data, theirs.masked_crc32c) == theirs.masked_crc32c(data)


def test_a_flipped_bit_is_noticed():
    data = np.random.default_rng(0).bytes(3000)
    for place in (0, 1500, 2999):
        changed = bytearray(data)
        changed[place] ^= 1
        assert crc32c(bytes(changed)) != crc32c(data)


def test_the_writer_of_records_uses_it(tmp_path, monkeypatch):
    TensorBoardLogger(tmp_path).finish()
    monkeypatch.setattr(theirs, "crc32c", None)  # which theirs would call
    data = bytes(SHORT)
    assert record_writer.masked_crc32c(data) == masked_crc32c(data, None)
