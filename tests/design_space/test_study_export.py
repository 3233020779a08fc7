import json

import pytest

from keras_regnet.design_space.population import work_through
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.study_export import export_study, import_study
from keras_regnet.design_space.study_file import StudyFile
from tests.design_space.fakes import FakePool
from tests.design_space.tiny_study import add, regime


@pytest.fixture
def study(tmp_path):
    """Four networks: one done, one failed, one being trained, one waiting."""
    with Study.open(tmp_path / "study.sqlite", regime()) as study:
        add(study, 2)
        work_through(study, FakePool(1, fails={2: "too wide"}))
        add(study, 4)
        study.begin()
        yield study


def test_back_and_forth_gives_the_same_bytes(study, tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    export_study(study, first)
    import_study(first, tmp_path / "copy.sqlite")
    with StudyFile.read(tmp_path / "copy.sqlite") as copy:
        export_study(copy, second)
        mine, theirs = study.records(), copy.records()
        assert copy.facts() == study.facts()
    assert first.read_bytes() == second.read_bytes()
    assert [r.status for r in mine] == ["done", "failed", "running", "waiting"]
    assert [r.status for r in theirs] == ["done", "failed", "waiting", "waiting"]
    assert theirs[:2] == mine[:2]


def test_an_import_goes_on(study, tmp_path):
    export_study(study, tmp_path / "a.jsonl")
    import_study(tmp_path / "a.jsonl", tmp_path / "deep" / "copy.sqlite")
    with Study.open(tmp_path / "deep" / "copy.sqlite", regime()) as copy:
        assert add(copy, 4) == 0
        pool = FakePool(1)
        work_through(copy, pool)
        assert pool.given == [3, 4]
        assert [r.attempts for r in copy.records()] == [1, 1, 1, 1]


def test_size_of_a_whole_study(tmp_path):
    """Less than 2 MB for 400 networks of 4 stages with 20 epochs."""
    from keras_regnet import AnyNetParameters, Stage
    from keras_regnet.design_space.trial import TrialResult

    numbers = tuple(0.12345 + 1e-5 * i for i in range(20))
    numbers = tuple(round(number, 5) for number in numbers)
    seconds = dict.fromkeys(("building", "judging", "tracing", "training"), 12.345)
    with Study.open(tmp_path / "study.sqlite", regime()) as study:
        stages = [AnyNetParameters(tuple(Stage(16, 1024, 2, 32) for _ in range(4)))]
        seeds = range(100_000, 100_400)
        sampling = {}
        study.add(
            "A", stages, sampling, input_shape=(64, 64, 1), classes=10, seeds=seeds
        )
        while record := study.begin():
            study.finish(
                record.id,
                TrialResult(numbers, numbers, numbers, seconds),
                "11: AMD EPYC 9B14 96-Core Processor, 1 core",
            )
        export_study(study, tmp_path / "a.jsonl")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 401
    assert (tmp_path / "a.jsonl").stat().st_size < 2_000_000 / 2


def test_a_study_is_not_replaced(study, tmp_path):
    export_study(study, tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="read into a new study"):
        import_study(tmp_path / "a.jsonl", study.path)


def change(lines, at, **values):
    line = json.loads(lines[at]) | values
    lines[at] = json.dumps({k: v for k, v in line.items() if v is not ...})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: lines.clear(), "line 1"),
        (lambda lines: change(lines, 0, kind="else"), "not the beginning of an export"),
        (lambda lines: change(lines, 0, format=2), "later version.*format 2"),
        (lambda lines: lines.append('{"id": 1'), "line 6"),
        (lambda lines: lines.append("3"), "line 6.*Received: 3"),
        (lambda lines: change(lines, 2, network=...), "line 3.*network"),
        (lambda lines: change(lines, 2, colour="red"), "line 3.*colour"),
        (lambda lines: lines.append(lines[-1]), "is damaged, or no study.*UNIQUE"),
        (
            lambda lines: change(lines, 2, status="odd"),
            "is damaged, or no study.*CHECK",
        ),
    ],
)
def test_damaged_exports_are_refused(study, tmp_path, spoil, message):
    path = tmp_path / "a.jsonl"
    export_study(study, path)
    lines = path.read_text().splitlines()
    spoil(lines)
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        import_study(path, tmp_path / "copy.sqlite")
    assert [p.name for p in tmp_path.glob("*copy*")] == []


def test_there_is_no_such_export(tmp_path):
    with pytest.raises(FileNotFoundError):
        import_study(tmp_path / "none.jsonl", tmp_path / "copy.sqlite")
