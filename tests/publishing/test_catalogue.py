"""The page about a folder of published models says what their metadata say."""

import pytest

from keras_regnet.publishing.catalogue import catalogue


@pytest.mark.long
def test_page_of_a_folder(published):
    folder, _ = published
    page = catalogue(folder)
    rows = [line for line in page.splitlines() if line.startswith("| [two_stages")]
    assert [row.split("]")[0] for row in rows] == [
        "| [two_stages_x",
        "| [two_stages_y",
    ]
    for row in rows:
        assert "93.12 %" in row
        link = row.partition("](")[2].partition(")")[0]
        assert (folder / link).is_file()
    assert "28x28x1" in rows[0]
    assert 'load_published("two_stages_x")' in page


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no published models"):
        catalogue(tmp_path)
