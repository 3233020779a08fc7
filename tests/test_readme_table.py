import pytest

from tests import fork_server

from .architecture.golden import PUBLISHED
from .script_runner import ROOT, run_script


@pytest.mark.long
def test_readme_is_up_to_date():
    done = fork_server.run([ROOT / "scripts" / "make_tables.py", "--check"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_table_is_written_and_then_up_to_date(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- table:variants -->\nold\n<!-- end -->\nafter\n")
    flag = f"--readme={readme}"
    runs = run_script(
        "make_tables.py", [["--check", flag], [flag], ["--check", flag]], tmp_path
    )
    assert [run.returncode for run in runs] == [1, 0, 0], runs
    text = readme.read_text()
    assert text.startswith("before\n<!-- table:variants -->\n| network")
    assert text.endswith("|\n<!-- end -->\nafter\n") and "old" not in text
    for name, golden in PUBLISHED.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        assert cells[1] == golden["application"]
        assert cells[2] == "-".join(map(str, golden["depths"]))
        assert cells[3] == "-".join(map(str, golden["widths"]))
        assert cells[4].split(",")[0] == str(golden["group_width"])
        giga = golden["multiply_adds"] / 1e9
        assert float(cells[5].removesuffix(" G")) == pytest.approx(giga, rel=0.005)
        mega = golden["parameters"] / 1e6
        assert float(cells[6].removesuffix(" M")) == pytest.approx(mega, rel=0.005)
        error = float(cells[7].removesuffix(" %"))
        assert error == pytest.approx(golden["top1_error"], abs=0.0501)


@pytest.mark.long
def test_missing_markers_are_an_error(tmp_path):
    texts = {"a.md": "no markers\n", "b.md": "<!-- table:variants -->\n", "c.md": None}
    for name, text in texts.items():
        if text is not None:
            (tmp_path / name).write_text(text)
    cases = [[f"--readme={tmp_path / name}"] for name in texts]
    for name, done in zip(
        texts, run_script("make_tables.py", cases, tmp_path), strict=True
    ):
        assert done.returncode == 2
        assert name in done.stderr and "Traceback" not in done.stderr
