#!/usr/bin/env bash
# Runs the linter and the tests, after installing what they need.
#
#   ./scripts/test.sh           no network, torch or further data needed (minutes)
#   ./scripts/test.sh --all     and whole programs, the peers (torch, timm, Keras 2),
#                               other backends, a browser and the real data, where they
#                               are available;
#                               what depends on TensorFlow's kernels a second time, with
#                               oneDNN off (or on, where TF_ENABLE_ONEDNN_OPTS is 0)
#   ./scripts/test.sh --slow    and what takes long
#
# Further arguments go to pytest. Without any, two processes share the tests.
# KERAS_REGNET_REQUIRE_PEERS=1 makes it an error where a peer could not be installed.
# KERAS_REGNET_TEST_DATA names the folder with the real data (default: ../shared/data, if
# it is there).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

tier=default
case "${1:-}" in
    --all | --slow) tier=${1#--}; shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit ;;
esac
ensure_environment test
python=$environment/bin/python

# Best effort: a peer that cannot be had is named, and its tests skip.
install_peers() {
    local pip=("$python" -m pip install --quiet --disable-pip-version-check)
    "$python" -c 'import torch, timm, torchvision' 2>/dev/null ||
        "$python" -c 'import importlib.metadata as m; [m.version(p) for p in
            ("torch", "timm", "torchvision", "safetensors")]' 2>/dev/null ||
        { say "installing torch and timm" &&
            "${pip[@]}" 'torch==2.13.0' &&
            "${pip[@]}" --no-deps 'timm==1.0.31' 'torchvision==0.28.0' &&
            "${pip[@]}" pyyaml onnxscript; } ||
        say "torch and timm cannot be had here; their tests will skip"
    "$python" -c 'import jax' 2>/dev/null ||
        { say "installing jax" && "${pip[@]}" jax; } ||
        say "jax cannot be had here; its tests will skip"
    export KERAS_REGNET_OLDEST_KERAS=$environment/oldest_keras
    [ -d "$KERAS_REGNET_OLDEST_KERAS/keras" ] ||
        { say "unpacking the oldest Keras that setup.cfg allows" &&
            "${pip[@]}" --no-deps --target "$KERAS_REGNET_OLDEST_KERAS" 'keras==3.12.0'; } ||
        say "the oldest Keras cannot be had here; its tests will skip"
    export KERAS_REGNET_TF_KERAS_PYTHON=$environment/tf_keras/bin/python
    "$KERAS_REGNET_TF_KERAS_PYTHON" -c 'import importlib.metadata as m
m.version("tf_keras")' 2>/dev/null ||
        { say "installing tf_keras into an environment of its own" && install_tf_keras; } ||
        { say "tf_keras cannot be had here; its tests will skip" &&
            unset KERAS_REGNET_TF_KERAS_PYTHON; }
}

# Names the peers that are missing; fails if there must be all of them.
check_peers() {
    local missing
    missing=$("$python" - <<'END'
import importlib.metadata
for peer in ("torch", "timm", "torchvision", "onnxruntime"):
    try:
        importlib.metadata.version(peer)
        if peer in ("torch", "onnxruntime"):
            __import__(peer)
    except Exception as error:
        print(f"{peer} ({type(error).__name__}: {error})".splitlines()[0])
END
    )
    [ -n "$missing" ] || return 0
    say "MISSING PEERS, whose tests skip:" && printf '   %s\n' "$missing" >&2
    if [ -n "${KERAS_REGNET_REQUIRE_PEERS:-}" ]; then
        say "KERAS_REGNET_REQUIRE_PEERS is set: this is a failure."
        exit 1
    fi
}

# Keras 2, which must not stand beside Keras 3, with the TensorFlow that is there.
install_tf_keras() {
    local print_site='import sysconfig; print(sysconfig.get_path("purelib"))'
    local other=$environment/tf_keras
    "$python" -m venv --clear --without-pip "$other" &&
        "$python" -c "$print_site" >"$("$other/bin/python" -c "$print_site")/main.pth" &&
        "$python" -m pip --quiet --disable-pip-version-check --python "$other/bin/python" \
            install --no-deps 'tf_keras==2.21.0'
}

# Best effort, where root can have Debian's package.
install_browser() {
    local apt=(env DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -qq --yes)
    local install=(install --no-install-recommends chromium)
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
        { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
            say "installing chromium" &&
            { "${apt[@]}" "${install[@]}" ||
                { "${apt[@]}" update && "${apt[@]}" "${install[@]}"; }; } \
                >/dev/null 2>&1; } ||
        say "chromium cannot be had here; the tests in a browser will skip"
}

marks='not peers and not real_data and not backends and not browser and not long and not slow'
if [ "$tier" != default ]; then
    install_peers
    check_peers
    install_browser
    data=$root/../shared/data
    if [ -z "${KERAS_REGNET_TEST_DATA:-}" ] && [ -d "$data" ]; then
        export KERAS_REGNET_TEST_DATA=$(cd "$data" && pwd)
    fi
    marks='not slow'
    [ "$tier" = slow ] && marks=''
fi

cd "$root"
say "linting"
"$python" -m ruff check --quiet .
"$python" -m ruff format --quiet --check . || { say "run: ruff format ."; exit 1; }
say "testing ($tier)"
# In the files' order: by their numbers of tests those of few long tests would end last.
[ $# -gt 0 ] || set -- -n2 --dist loadfile --no-loadscope-reorder
status=0
"$python" -m pytest -m "$marks" -rs "$@" || status=$?
if [ "$tier" != default ]; then
    other=0
    [ "${TF_ENABLE_ONEDNN_OPTS:-1}" = 0 ] && other=1
    say "testing what depends on the kernels with TF_ENABLE_ONEDNN_OPTS=$other"
    TF_ENABLE_ONEDNN_OPTS=$other "$python" -m pytest -m "kernels${marks:+ and $marks}" \
        -rs "$@" || { again=$?; [ $again = 5 ] || status=$again; }
fi
exit $status
