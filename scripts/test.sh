#!/usr/bin/env bash
# Runs the linter and the tests, after installing what they need.
#
#   ./scripts/test.sh           no network, torch or further data needed (minutes)
#   ./scripts/test.sh --all     and the peers (torch, timm), the other Keras backends
#                               and the real data, where they can be had
#   ./scripts/test.sh --slow    and what takes long
#
# Further arguments go to pytest. KERAS_REGNET_TEST_DATA names the folder with the real
# data (default: ../shared/data, if it is there).
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
            "${pip[@]}" huggingface-hub safetensors pyyaml pillow; } ||
        say "torch and timm cannot be had here; their tests will skip"
    "$python" -c 'import jax' 2>/dev/null ||
        { say "installing jax" && "${pip[@]}" jax; } ||
        say "jax cannot be had here; its tests will skip"
    export KERAS_REGNET_OLDEST_KERAS=$environment/oldest_keras
    [ -d "$KERAS_REGNET_OLDEST_KERAS/keras" ] ||
        { say "unpacking the oldest Keras that setup.cfg allows" &&
            "${pip[@]}" --no-deps --target "$KERAS_REGNET_OLDEST_KERAS" 'keras==3.12.0'; } ||
        say "the oldest Keras cannot be had here; its tests will skip"
}

marks='not peers and not real_data and not backends and not slow'
if [ "$tier" != default ]; then
    install_peers
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
exec "$python" -m pytest -m "$marks" -rs "$@"
