"""A list of checksums that is cut anywhere is refused."""

import pytest

from keras_regnet.publishing import layout

_DATA = "variables/variables.data-{:05}-of-{:05}"


@pytest.fixture(params=[1, 3])
def folder(tmp_path, request):
    """What a published model has, its variables in one piece or in several."""
    data = [_DATA.format(number, request.param) for number in range(request.param)]
    for name in (*layout.LISTED, "fingerprint.pb", *data):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    layout.write_checksums(tmp_path)
    layout.check_checksums(tmp_path)
    return tmp_path


def test_a_list_that_is_cut_is_refused_wherever_that_is(folder):
    sums = folder / layout.CHECKSUMS
    whole = sums.read_bytes()
    for length in range(len(whole) - 1):  # without the last end of a line it is whole
        sums.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="Received: "):
            layout.check_checksums(folder)
    sums.write_bytes(whole[:-1])
    layout.check_checksums(folder)


def test_a_file_that_is_gone_with_its_line_is_missed(folder):
    sums = folder / layout.CHECKSUMS
    lines = sums.read_text().splitlines(keepends=True)
    for line in lines:
        path = folder / line.split()[1]
        if path.name == "fingerprint.pb":  # which TensorFlow may leave out
            continue
        content = path.read_bytes()
        path.unlink()
        sums.write_text("".join(each for each in lines if each != line))
        with pytest.raises(ValueError, match=f"{path.name} is not listed"):
            layout.check_checksums(folder)
        path.write_bytes(content)
