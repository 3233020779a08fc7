# Sourced by quickstart.sh and test.sh: makes a virtual environment, or reuses the one
# that is there if it was made by the same Python for the same setup.cfg and extras.
#
# KERAS_REGNET_VENV names its folder (default: .venv beside setup.cfg), PYTHON the
# interpreter (default: the first right one of python3, python3.13, 3.12 and 3.11).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environment=${KERAS_REGNET_VENV:-$root/.venv}

say() { printf '== %s\n' "$*" >&2; }

python_is_right() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        python_is_right "$PYTHON" && { echo "$PYTHON"; return; }
        say "PYTHON=$PYTHON is $("$PYTHON" --version 2>&1 || true)."
    else
        for candidate in python3 python3.13 python3.12 python3.11; do
            python_is_right "$candidate" && { command -v "$candidate"; return; }
        done
        say "python3 is $(python3 --version 2>&1 || echo 'not installed')."
    fi
    say "This needs Python 3.11, 3.12 or 3.13. Install one, or name it: PYTHON=/path/to/python3.12"
    return 1
}

# ensure_environment EXTRAS: afterwards "$environment/bin/python" has the package, in
# place, with these extras. An environment with more extras than asked for is kept.
ensure_environment() {
    local extras=$1 python wanted stamp=$environment/keras_regnet.stamp extra
    python=$(find_python) || exit 1
    wanted=$("$python" --version)$(cat "$root/setup.cfg" | cksum)$root
    if [ -x "$environment/bin/python" ] && [ -f "$stamp" ] &&
        [ "$(head -n 1 "$stamp")" = "$wanted" ]; then
        for extra in ${extras//,/ }; do
            grep -qx "$extra" "$stamp" || extra=missing
            [ "$extra" = missing ] && break
        done
        [ "$extra" = missing ] || { say "reusing $environment"; return; }
    elif [ -e "$environment" ] && [ ! -f "$stamp" ] && [ -n "$(ls -A "$environment")" ]; then
        say "$environment exists and was not made by this script."
        say "Remove it, or name another folder: KERAS_REGNET_VENV=/path"
        exit 1
    elif [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$wanted" ]; then
        say "remaking $environment: Python or setup.cfg has changed"
        rm -rf "$environment"
    fi
    say "installing keras_regnet[$extras] into $environment ($("$python" --version))"
    [ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
    touch "$stamp" # Now it is known as ours, also when the installation is cut off.
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        --editable "$root[$extras]" || {
        say "pip could not install the packages; see above. Is the package index reachable?"
        exit 1
    }
    { echo "$wanted"; tail -n +2 "$stamp"; tr , '\n' <<<"$extras"; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
}
