"""The benchmarks run and compare rightly; what they time is not tested."""

import contextlib
import json
import os
import types

import pytest

import keras_regnet
from keras_regnet import environment
from keras_regnet.benchmarks import (
    fresh_process,
    gpu,
    inference,
    machine,
    onnx_files,
    peers,
    pictures,
    suite,
)
from keras_regnet.benchmarks.alternation import alternate
from keras_regnet.benchmarks.comparison import Comparison, markdown_table
from keras_regnet.benchmarks.fresh_process import FreshProcessError, call, serve
from keras_regnet.benchmarks.growth import growth
from keras_regnet.benchmarks.settings import PRECISIONS, Setting
from tests.script_runner import run_script
from tests.shared_process import shared_processes
from tests.small_networks import tiny
from tests.torch_peer import timm

SWITCHES = {
    environment.ONEDNN: "onednn",
    environment.POOLED_ALLOCATOR: "pooled_allocator",
}
COMPARISON = Comparison(
    "step",
    {"ours": [1.0, 3.0], "a": [2.0, 5.0], "b": [4.0, 1.5], "c": [0.5, 1.0]},
    {"eager": ("a", "b"), "compiled": ("c",)},
    setting={"kind": "train", "images": 6},
    absent={"d": "it is not installed"},
)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with shared_processes(tmp_path_factory.mktemp("requests")) as serve:
        yield serve


@pytest.fixture
def few_processes(processes, monkeypatch):
    """Cases that ask for processes of their own share a few."""
    monkeypatch.setattr(fresh_process, "serve", processes)


def constant(seconds, calls=None, name=None):
    """A builder of a case that always takes as long."""

    def case():
        if calls is not None:
            calls.append(name)
        return seconds

    return lambda: case


def test_ratios_are_to_the_best_peer_of_the_same_round():
    assert COMPARISON.ours == ["ours"]
    assert COMPARISON.ratios("ours") == [0.5, 2.0]
    assert COMPARISON.ratios("ours", "compiled") == [2.0, 3.0]
    assert COMPARISON.images_per_second("ours") == 3.0
    assert "1.25 (0.50 to 2.00)" in str(COMPARISON)
    assert "left out: d (it is not installed)" in str(COMPARISON)


def test_the_share_of_the_device_s_peak():
    values = {"ours": [2.0, 0.5, 1.0]}
    measured = Comparison("t", values, {}, setting={"flops": 6e9, "peak": 8e9})
    assert measured.share_of_peak("ours") == 0.75
    assert str(measured).splitlines()[1].split()[-2:] == ["of", "peak"]
    assert "0.750" in str(measured)
    assert COMPARISON.share_of_peak("ours") is None


@pytest.mark.peers
def test_the_peak_is_that_of_the_fastest_of_ten_products(monkeypatch):
    pytest.importorskip("torch")
    ticks = [0.0]
    for seconds in (0.5, 5, 4, 6, 2, 3, 9, 8, 7, 6, 5):  # the first is not counted
        ticks += [ticks[-1] + seconds, ticks[-1] + seconds]
    left = iter(ticks)
    clock = types.SimpleNamespace(perf_counter=left.__next__)
    monkeypatch.setattr(gpu, "time", clock)
    assert gpu.matrix_product_rate("float32", "cpu", size=4) == 2 * 4**3 / 2
    assert len(list(left)) == 1


def test_without_a_peer_there_are_no_ratios():
    alone = Comparison("step", {"ours": [1.0]}, {})
    assert alone.ratios("ours") == []
    assert "no peer" in str(alone)
    assert "| step | ours | 1 s |" in alone.to_markdown()


def test_a_comparison_survives_json_and_becomes_a_row():
    again = Comparison.from_dict(json.loads(json.dumps(COMPARISON.to_dict())))
    assert again.to_dict() == COMPARISON.to_dict()
    header, rule, row = markdown_table([again]).splitlines()
    assert header == "| measured | case | median | over eager | over compiled |"
    assert rule == "| --- | --- | ---: | ---: | ---: |"
    assert row == ("| step | ours | 2 s | 1.25 (0.50 to 2.00) | 2.50 (2.00 to 3.00) |")


def test_cases_alternate_after_one_warm_up():
    calls = []
    builders = {"a": constant(1.0, calls, "a"), "b": constant(2.0, calls, "b")}
    comparison = alternate("t", builders, {"peer": ["b"]}, 2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert comparison.values == {"a": [1.0, 1.0], "b": [2.0, 2.0]}
    assert comparison.to_dict()["ratios"]["peer"]["a"] == [0.5, 0.5]


def test_a_peer_that_fails_is_named_and_left_out():
    def broken():
        raise RuntimeError("no compiler\nand more")

    builders = {"a": constant(1.0), "b": broken}
    columns = {"compiled": ["b"]}
    comparison = alternate("t", builders, columns, 1, optional=["b"])
    assert comparison.absent == {"b": "RuntimeError: no compiler"}
    assert comparison.peers == {}
    with pytest.raises(RuntimeError, match="no compiler"):
        alternate("t", builders, columns, 1)


def test_a_process_of_its_own_answers_or_says_why_not():
    size = "keras_regnet.benchmarks.resident_memory"
    assert call(f"{size}:peak_memory", {}, lean=True) > 1e6
    with pytest.raises(FreshProcessError, match=r"TypeError.*functools:partial"):
        call("functools:partial", {}, lean=True)
    with serve("builtins:dict", {"a": 1}, lean=True) as ask:
        assert ask() == ask() == {"a": 1}


def test_settings_are_checked_and_follow_the_network():
    setting = Setting("regnetx_002", 224, 32)
    assert setting.network == "RegNetX-200MF"
    assert setting.training_steps == 5
    assert Setting(**setting.to_dict()) == setting
    assert Setting("RegNetX32", 32).classes == 10
    for arguments, wrong in (
        ({"network": "RegNetX-300MF"}, "RegNetX-300MF"),
        ({"network": "RegNetX32", "image_size": 4}, "image_size=4"),
        ({"network": "RegNetX32", "batch_size": 0}, "batch_size=0"),
        ({"network": "RegNetX32", "precision": "int8"}, "int8"),
    ):
        with pytest.raises(ValueError, match=f"Received: .*{wrong}"):
            Setting(**arguments)


def test_the_defaults_are_those_of_the_tables():
    settings = suite.Options().settings()
    assert [(s.network, s.image_size, s.batch_size) for s in settings] == [
        ("RegNetX-200MF", 224, 32),
        ("RegNetX-3.2GF", 224, 32),
        ("RegNetY-400MF", 224, 32),
        ("RegNetX32", 32, 128),
    ]
    assert suite.chosen(["infer", "train"]) == ["train", "infer"]
    assert suite.chosen(["all"]) == list(suite.CASES)


def test_peers_that_were_asked_for_must_be_there(monkeypatch):
    def absent():
        raise ImportError("nobody has it")

    found = {"timm": lambda: None, "onnxruntime": absent}
    monkeypatch.setattr(peers, "PEERS", found)
    assert peers.find("none") == ((), {})
    assert peers.find("auto") == (("timm",), {"onnxruntime": "nobody has it"})
    assert peers.find("timm") == (("timm",), {})
    with pytest.raises(ValueError, match=r"nobody has it\. Received: onnxruntime"):
        peers.find("onnxruntime")


def test_growth_ends_before_what_would_not_fit():
    said = []
    networks = ["RegNetX-32GF"]
    assert not list(growth(1, networks=networks, seconds_limit=0.1, say=said.append))
    assert "growth ends before RegNetX-32GF" in said[0]


def test_the_machine_is_described():
    found = machine.machine()
    assert json.loads(json.dumps(found)) == found
    known = {**found, "processor": "A B", "instructions": ["avx2"], "cores": 2}
    known |= {"system": "Linux x", "versions": {"keras": "3", "torch": "2"}, "load": 0}
    known |= {"onednn": True, "pooled_allocator": False}
    where = "2 cores of A B (avx2), Linux x, oneDNN on, pooled allocator off"
    assert machine.describe(known) == f"{where}\nkeras 3, torch 2"
    assert machine.caption(known) == f"{where}; keras 3, torch 2"
    assert "not idle" in machine.describe({**known, "load": 3.0})
    assert "oneDNN off" in machine.caption({**known, "onednn": False})
    other = {**known, "onednn": None, "pooled_allocator": None}
    assert machine.caption(other).startswith("2 cores of A B (avx2), Linux x; keras")


@pytest.mark.long
def test_other_processes_have_the_switches_of_this_one(monkeypatch):
    here = machine.machine()
    if here["onednn"] is None:
        pytest.skip("it is known on TensorFlow and x86")
    for name, field in SWITCHES.items():
        monkeypatch.setenv(name, "0" if here[field] else "1")
    there = call("keras_regnet.benchmarks.machine:machine", {})
    assert there["onednn"] is not here["onednn"]
    assert there["pooled_allocator"] is not here["pooled_allocator"]


def test_where_there_is_a_gpu_another_process_says_whether_onednn_is_on(monkeypatch):
    asked = {}

    def serve(function, arguments, **options):
        asked.update(options, function=function)
        return contextlib.nullcontext(lambda: True)

    monkeypatch.setattr(fresh_process, "serve", serve)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert machine.machine()["onednn"] is True
    assert asked["function"] == "keras_regnet.benchmarks.machine:onednn_here"
    assert asked["lean"]
    assert asked["environment"] == {"CUDA_VISIBLE_DEVICES": "-1"}


def test_pictures_are_drawn_of_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    fields = {"network": "RegNetX32", "image_size": 32, "precision": "float32"}

    def made(kind, batch, work):
        setting = {"kind": kind, "batch_size": batch, "images": batch}
        setting |= {"multiply_adds": work, **fields}
        return Comparison(kind, COMPARISON.values, COMPARISON.peers, setting=setting)

    assert [p.name for p in pictures.draw([COMPARISON], tmp_path)] == ["ratios.png"]
    everything = [made("infer", 1, 1), made("infer", 32, 1)]
    everything += [made("growth", 8, 2e8), made("growth", 8, 4e8)]
    drawn = pictures.draw(everything, tmp_path)
    plain = [p.read_bytes() for p in drawn]
    drawn = pictures.draw(everything, tmp_path, "a processor, oneDNN on; " * 9)
    assert all(p.read_bytes() != b for p, b in zip(drawn, plain, strict=True))
    assert [p.name for p in drawn] == ["ratios.png", "batch_sizes.png", "growth.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in drawn)
    assert pictures.draw([], tmp_path) == []


TINY = ["--image_size=32", "--batch_sizes=2", "--rounds=1", "--steps=1", "--images=8"]


def check_report(path, kinds):
    report = json.loads(path.read_text())
    assert report["machine"]["versions"]["keras"]
    if machine.machine()["onednn"] is not None:
        # The script sets what is open, before it imports TensorFlow.
        for name, field in SWITCHES.items():
            wanted = os.environ.get(name, "1") == "1"
            assert report["machine"][field] is wanted
    check(report["results"], kinds)
    return report["results"]


def check(results, kinds):
    assert [result["setting"]["kind"] for result in results] == kinds
    for result in results:
        assert all(len(v) == 1 and v[0] > 0 for v in result["values"].values())
        for names in result["peers"].values():
            assert set(names) <= set(result["values"])


def measured(cases, **options):
    """The results of the smallest network, as dicts."""
    tiny = {"models": ["RegNetX32"], "image_size": 32, "batch_sizes": [2]}
    tiny |= {"rounds": 1, "steps": 1, "images": 8}
    options = suite.check(suite.Options(**tiny, **options))
    results = [result for case in cases for result in suite.CASES[case](options)]
    return [json.loads(json.dumps(result.to_dict())) for result in results]


@pytest.mark.long
def test_the_script_measures_without_peers_and_refuses_what_is_wrong(tmp_path):
    path = tmp_path / "report.json"
    tiny = ["--models=RegNetX32", *TINY, "--peers=none", f"--json={path}"]
    good, *bad = run_script(
        "benchmark.py",
        [
            ["infer", *tiny],
            ["trane", *tiny],
            tiny,
            ["train", *tiny, "--models=regnetx_003"],
            ["train", *tiny, "--models=RegNetX32", "--batch_sizes=few"],
            ["train", *tiny, "--peers=jax"],
        ],
        tmp_path,
    )
    assert good.returncode == 0, good.stderr
    assert "RegNetX32, 32x32, batch 2" in good.stdout
    line = f"  {machine.caption(json.loads(path.read_text())['machine'])}"
    assert good.stdout.splitlines().count(line) == 1  # under the table
    (result,) = check_report(path, ["infer"])
    assert "keras_regnet, predict" in result["values"]
    wrong = ("trane", "none", "regnetx_003", "few", "jax")
    for refused, received in zip(bad, wrong, strict=True):
        assert refused.returncode == 2, refused.stderr
        assert received in refused.stderr.splitlines()[-1].partition("Received: ")[2]


@pytest.mark.long
def test_the_cases_of_a_small_network(monkeypatch):
    monkeypatch.setattr(
        keras_regnet, "RegNet", lambda _, **options: tiny(depth=1, **options)
    )
    train, *onnx, saved = measured(["train", "onnx", "saved_model"])
    check([train, *onnx, saved], ["train", "onnx", "onnx", "saved_model"])
    assert set(train["values"]) == {"keras_regnet, fit"}
    assert [result["setting"]["threads"] for result in onnx] == [1, 2]
    assert "keras_regnet, NCHW" in onnx[0]["values"]
    assert len(saved["values"]) == 2


@pytest.mark.peers
@pytest.mark.slow
def test_the_other_cases_run_beside_their_peers(few_processes):
    """growth is train in a process of its own."""
    timm()
    cases = ["input", "build", "memory", "growth"]
    results = measured(cases, peers=("timm", "torchvision"))
    kinds = ["input"] * 4 + ["build"] * 3 + ["memory", "memory before", "growth"]
    check(results, kinds)
    assert all("torchvision" in result["peers"] for result in results[:4])
    assert all("eager torch" in result["peers"] for result in results[4:])
    layouts = {"timm, contiguous", "timm, channels_last"}
    assert set(results[-1]["values"]) == {"keras_regnet, fit", *layouts}


@pytest.mark.peers
def test_the_script_measures_beside_a_peer_in_bfloat16(tmp_path):
    timm()
    path, pictured = tmp_path / "report.json", tmp_path / "pictures"
    asked = ["infer", "--models=RegNetX32", *TINY, "--peers=timm,torchvision"]
    asked += ["--precision=bfloat16", f"--json={path}", f"--picture={pictured}"]
    (done,) = run_script("benchmark.py", [asked], tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = check_report(path, ["infer"])
    assert {"timm, contiguous", "keras_regnet, predict"} <= set(result["values"])
    assert (pictured / "ratios.png").is_file()


@pytest.mark.peers
def test_a_compiler_is_a_case_too(monkeypatch):
    """torch.compile traces the network; its C++ compiler is not waited for."""
    timm()
    import torch

    # The cases of ours run in the test above.
    monkeypatch.setattr(
        inference.keras_cases, "inference_builders", lambda *_: {"ours": lambda: one}
    )
    present, _ = peers.find("auto")
    compile_it = torch.compile
    monkeypatch.setattr(torch, "compile", lambda m: compile_it(m, backend="eager"))
    (result,) = measured(["infer"], peers=present, precisions=["bfloat16"])
    check([result], ["infer"])
    compiled = "timm, torch.compile"
    assert ("compile" in present) == (compiled in result["values"])
    assert not result["absent"]


def one():
    return 1.0


@pytest.mark.peers
def test_onnx_files_run_beside_those_of_torch(monkeypatch):
    timm()
    pytest.importorskip("onnxscript")
    # The script has measured the others without a peer.
    monkeypatch.setattr(onnx_files, "_VARIANTS", {"keras_regnet, NHWC": {}})
    results = measured(["onnx"], peers=("onnxruntime",))
    check(results, ["onnx", "onnx"])
    for result in results:
        assert result["peers"] == {"torch.onnx": ["timm, torch.onnx"]}


@pytest.mark.peers
@pytest.mark.backends
@pytest.mark.slow
def test_the_gpu_case_on_what_device_there_is(few_processes, monkeypatch):
    """The same code on the CPU: JAX beside torch, each in a process of its own."""
    timm()
    pytest.importorskip("jax")
    assert gpu._KINDS == ("train", "infer")
    # XLA compiles for long: one of the two for each precision.
    kinds = {"float32": ("infer", 1), "bfloat16": ("train", 3)}
    assert set(kinds) == set(PRECISIONS)
    for precision, (kind, passes) in kinds.items():
        monkeypatch.setattr(gpu, "_KINDS", (kind,))
        setting = Setting("RegNetX32", 32, 2, precision, steps=1)
        (result,) = gpu.gpu([setting], 1, ("timm",), backend="jax", device="cpu")
        assert set(result.values) == {"keras_regnet, jax", "timm, channels_last"}
        assert result.setting["kind"] == f"gpu {kind}"
        assert result.setting["flops"] == 2 * passes * 2 * setting.multiply_adds
        assert result.setting["peak"] > 0
        assert "of peak" in str(result)


@pytest.mark.peers
@pytest.mark.backends
def test_keras_torch_backend_runs_beside_torch(few_processes):
    timm()
    results = measured(["torch_backend"], peers=("timm",))
    check(results, ["gpu train", "gpu infer"])
    for result in results:
        assert " on cpu, RegNetX32, 32x32, batch 2" in result["title"]
        assert set(result["values"]) == {"keras_regnet, torch", "timm, channels_last"}


def test_without_a_gpu_the_gpu_case_says_so(monkeypatch, capsys):
    monkeypatch.setattr(suite, "find_gpu", lambda: None)
    assert not list(suite.CASES["gpu"](suite.Options()))
    assert "left out" in capsys.readouterr().out


@pytest.mark.peers
@pytest.mark.parametrize("name", ["RegNetX32", "RegNetY-400MF", "regnet_x_400mf"])
def test_the_peer_has_the_same_parameters(name):
    timm()
    from keras_regnet.benchmarks import keras_cases, torch_cases

    setting = Setting(name, 32)
    theirs = torch_cases.count_parameters(torch_cases.network(setting))
    assert keras_cases.count_parameters(setting) == theirs
