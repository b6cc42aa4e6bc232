#!/usr/bin/env bash
# Sets up .venv in the checkout, and nothing outside it: `make setup`. Safe to repeat, safe to interrupt.
#
#   PYTHON=python3.12   the Python to use (default: python3 if it is 3.11 or 3.12, else the first of those on PATH)
#   MAX_JOBS=8          compilers at a time for mmcv's ops (default 2; each wants about 1.5 GB of memory)
#   CXX=clang++         the C++ compiler (default c++)
#   PIP_FIND_LINKS=DIR  pip's own variable: a folder or page of wheels. If mmcv's is there, nothing is compiled
#
# The order matters. mmcv's build compiles its ops only where it can import torch, and reports success without them
# otherwise. So torch goes in first, the rest follows without build isolation, and `import mmcv.ops` is a hard check.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
VPY=$VENV/bin/python
LOG=$VENV/setup.log
TMP=$VENV/tmp # pip unpacks and compiles here: gigabytes, too much for many systems' temporary folder
STAMP=$VENV/setup.stamp
STARTED=$SECONDS
job=

say() { printf '[%4d s] %s\n' $((SECONDS - STARTED)) "$*"; }

fail() { # fail LINE...: what is wrong, then what to do
    printf 'set-up failed: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

fail_with_log() {
    {
        echo
        echo "The last lines of $LOG:"
        tail -n 25 "$LOG" | cut -c1-300 | sed 's/^/  | /'
        errors=$(grep -aE '[Ee]rror: ' "$LOG" | grep -av 'subprocess-exited' | tail -n 5 | cut -c1-300 | sed 's/^/  | /')
        [ -z "$errors" ] || printf 'Its last errors:\n%s\n' "$errors"
        echo
    } >&2
    rm -rf "$TMP"
    fail "$@"
}

stop() { # a signal: end the running step with all its children
    trap - INT TERM HUP
    if [ -n "$job" ]; then
        kill -TERM -- "-$job" 2>/dev/null
        wait "$job"
    fi
    rm -rf "$TMP"
    echo >&2
    fail 'interrupted.' 'Run the same command again: it goes on with what is there.'
}

run() { # run TITLE COMMAND...: into the log; a line at its start and every 30 s; the command's exit status
    local title=$1 next=$((SECONDS + 30)) from
    shift
    say "$title"
    printf '\n## %s\n## %s\n' "$title" "$*" >>"$LOG"
    from=$(($(wc -l <"$LOG") + 1))
    set -m # a process group of its own, so that stop() reaches pip's compilers too
    "$@" >>"$LOG" 2>&1 </dev/null &
    job=$!
    set +m
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.3
        if [ $SECONDS -ge $next ]; then
            say "  ... $(progress "$from")"
            next=$((SECONDS + 30))
        fi
    done
    wait "$job"
    local status=$?
    job=
    return $status
}

progress() { # what the step whose log starts at line $1 is at: ninja's counter while compiling, else the last line
    local recent counter
    recent=$(tail -n "+$1" "$LOG" | tail -n 400 | tr -d '\r')
    counter=$(grep -aoE '^ *\[[0-9]+/[0-9]+\]' <<<"$recent" | tail -n 1 | tr -d ' []')
    if [ -n "$counter" ]; then
        echo "compiling mmcv's ops: file ${counter%/*} of ${counter#*/}"
    else
        grep -avE '^ *$|^ *WARNING: |^ *changing mode of ' <<<"$recent" | tail -n 1 | sed 's/^ *//' | cut -c1-90
    fi
}

runs_supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

describe() { if version_of "$1" >/dev/null; then echo "is $(version_of "$1")"; else echo 'does not run'; fi; }

choose_python() { # sets PY: .venv's own Python where there is one, else $PYTHON, else the first suitable one
    local candidate
    if [ -e "$VPY" ] || [ -L "$VPY" ]; then
        PY=$VPY
        runs_supported "$PY" || fail "the Python of $VENV does not run or is not 3.11 or 3.12." \
            "Delete it and run again: rm -rf '$VENV'"
        if [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$(version_of "$PY")" ]; then
            fail "PYTHON=$PYTHON $(describe "$PYTHON"), but $VENV was made with Python $(version_of "$PY")." \
                "Delete it and run again: rm -rf '$VENV'"
        fi
        return
    fi
    for candidate in ${PYTHON:-python3 python3.12 python3.11}; do
        if runs_supported "$candidate"; then
            PY=$candidate
            "$PY" -c 'import ensurepip, venv' 2>/dev/null || fail "$PY cannot make virtual environments." \
                "Debian, Ubuntu:  sudo apt-get install python$(version_of "$PY")-venv"
            return
        fi
    done
    fail "Python 3.11 or 3.12 is needed; ${PYTHON:-python3} $(describe "${PYTHON:-python3}")." \
        "Name one: make setup PYTHON=/path/to/python3.12"
}

check_compiler() { # check_compiler PYTHON: a C++20 compiler and Python's headers
    local compiler=${CXX:-c++} include
    command -v "${compiler%% *}" >/dev/null || fail "no C++ compiler: '${compiler%% *}' is not on PATH (mmcv's ops are compiled here)." \
        'Debian, Ubuntu:  sudo apt-get install g++' \
        'Fedora:          sudo dnf install gcc-c++' \
        'conda:           conda install -c conda-forge cxx-compiler' \
        'One of another name: CXX=/path/to/compiler make setup'
    # shellcheck disable=SC2086  # CXX may hold a launcher and flags
    printf '#include <concepts>\nstatic_assert(std::integral<int>);\n' | $compiler -std=c++20 -fsyntax-only -x c++ - 2>/dev/null ||
        fail "the C++ compiler '$compiler' cannot compile C++20, which torch's headers need." \
            'Install g++ 10 or newer (or clang 13 or newer), or name one: CXX=/path/to/compiler make setup'
    include=$("$1" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    [ -e "$include/Python.h" ] || fail "Python's C headers are missing: no $include/Python.h (mmcv's ops are compiled against them)." \
        "Debian, Ubuntu:  sudo apt-get install python$(version_of "$1")-dev" \
        "Fedora:          sudo dnf install python$(version_of "$1")-devel" \
        "conda:           conda install python=$(version_of "$1")   (brings them), then make setup with that python"
}

check_libraries() { # check_libraries PYTHON: what cv2 loads and pip does not bring
    [ "$(uname)" = Linux ] || return 0
    local name
    for name in libGL.so.1 libgthread-2.0.so.0; do
        "$1" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$name" 2>/dev/null ||
            fail "the system library $name is missing: opencv-python (cv2) does not load without libGL and glib." \
                'Debian, Ubuntu:  sudo apt-get install libgl1 libglib2.0-0' \
                'Fedora:          sudo dnf install mesa-libGL glib2' \
                'conda:           conda install -c conda-forge libgl glib'
    done
}

check_gpu_compiler() { # where torch sees a GPU, mmcv's build compiles CUDA ops and needs nvcc
    local cuda
    cuda=$("$VPY" -c '
import torch
from torch.utils.cpp_extension import CUDA_HOME
print(torch.version.cuda if torch.cuda.is_available() and not CUDA_HOME else "")' 2>>"$LOG") ||
        fail_with_log 'torch is installed but does not import.' "Delete the environment and run again: rm -rf '$VENV'"
    [ -z "$cuda" ] || fail "torch sees a GPU, so mmcv's CUDA ops must be compiled, but there is no nvcc." \
        "Install the CUDA toolkit $cuda (the version of this torch) and point CUDA_HOME to it," \
        'or set up for the CPU only: CUDA_VISIBLE_DEVICES= make setup'
}

check_imports() { # check_imports 'MODULE, ...': outside the checkout, as a user's script would
    (cd / && "$VPY" -c "import $1") >>"$LOG" 2>&1
}

check_ops() { # the installed mmcv has its ops, they compute, and with a GPU they were built for it
    (cd / && "$VPY" -c '
import torch
import mmcv.ops
boxes = torch.tensor([[0., 0., 10., 10.], [0., 0., 10., 9.], [20., 20., 30., 30.]])
kept = mmcv.ops.nms(boxes, torch.tensor([.7, .8, .9]), .5)[1].tolist()
if kept != [2, 1]:
    raise SystemExit(f"mmcv.ops.nms kept {kept}; right: [2, 1]")
if torch.cuda.is_available() and mmcv.ops.get_compiling_cuda_version() == "not available":
    raise SystemExit("torch sees a GPU, but these ops of mmcv were compiled for the CPU only")
') >>"$LOG" 2>&1
}

pip_install() { # with .venv/bin on PATH: the build finds ninja there, and ops-c++ by a name that never has a space
    PATH=$VENV/bin:$PATH CXX=ops-c++ NVCC_APPEND_FLAGS="${NVCC_APPEND_FLAGS:-} -std=c++20" MAX_JOBS=${MAX_JOBS:-2} \
        TMPDIR=$TMP "$VPY" -m pip install -v --progress-bar off "$@"
}

prebuilt_mmcv() { # the name of mmcv's wheel among those of PIP_FIND_LINKS, if there is one for this Python
    [ -n "${PIP_FIND_LINKS:-}" ] || return 1
    "$VPY" -m pip download --no-deps --no-index --only-binary :all: -d "$TMP/wheels" \
        "$(grep '^onedl-mmcv==' "$ROOT/requirements.txt")" >>"$LOG" 2>&1 || return 1
    (cd "$TMP/wheels" && echo onedl_mmcv-*.whl)
}

mend_ops() { # pip's cache ignores how a wheel was built: drop the cached mmcv and compile it anew
    check_compiler "$PY"
    check_gpu_compiler
    "$VPY" -m pip cache remove onedl_mmcv >>"$LOG" 2>&1 # fails where pip has no cache: nothing to drop then
    run "step 4: mmcv came without working ops (a bad wheel?): compiling it anew, 9 min on 2 cores" \
        pip_install --no-build-isolation --no-cache-dir --force-reinstall --no-deps --no-binary onedl-mmcv \
        "$(grep '^onedl-mmcv==' "$ROOT/requirements.txt")"
}

fingerprint() { # of all that decides what is installed; the path, because a moved .venv has stale scripts
    echo "$ROOT"
    (cd "$ROOT" && cksum requirements-build.txt requirements.txt requirements-dev.txt requirements-slurm.txt \
        requirements-onnx.txt tools/setup.sh)
}

up_to_date() {
    [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(fingerprint)" ] && "$VPY" -c '' 2>/dev/null &&
        compgen -G "$VENV/lib/python3.*/site-packages/mmcv/_ext*.so" >/dev/null
}

main() {
    set -uo pipefail
    # pip counts what PYTHONPATH shows as installed, and --user is refused in a virtual environment
    unset PYTHONPATH PYTHONHOME
    export PIP_USER=0 PIP_NO_INPUT=1

    if up_to_date; then
        echo "set-up: $VENV is up to date"
        return
    fi
    choose_python
    [ -n "${PIP_FIND_LINKS:-}" ] || check_compiler "$PY"
    check_libraries "$PY"

    mkdir -p "$VENV"
    exec 9>"$VENV/setup.lock"
    if command -v flock >/dev/null && ! flock -n 9; then
        say "another set-up of $VENV is running; waiting for it"
        flock 9
        if up_to_date; then
            say 'it is up to date now'
            return
        fi
    fi
    rm -rf "$STAMP" "$TMP"
    mkdir "$TMP"
    : >"$LOG"
    trap stop INT TERM HUP

    say "setting up $VENV with Python $(version_of "$PY"); full log in .venv/setup.log"
    if ! grep -qF "$VENV" "$VENV/bin/activate" 2>/dev/null || ! "$VPY" -m pip --version >>"$LOG" 2>&1; then
        run 'step 0: virtual environment' "$PY" -m venv "$VENV" ||
            fail_with_log 'the virtual environment could not be made.' "Delete what is there and run again: rm -rf '$VENV'"
    fi
    local wheel step='step 2: all other packages'
    if wheel=$(prebuilt_mmcv); then
        say "mmcv's ops are taken from PIP_FIND_LINKS, not compiled: $wheel"
    else
        if [ -n "${PIP_FIND_LINKS:-}" ]; then
            say "PIP_FIND_LINKS has no wheel of $(grep '^onedl-mmcv==' "$ROOT/requirements.txt") for Python $(version_of "$PY")"
            check_compiler "$PY"
        fi
        say "mmcv's ops will be compiled, unless pip has them cached: 9 min on 2 cores (here: MAX_JOBS=${MAX_JOBS:-2})"
        step+="; mmcv's ops are compiled unless pip has them cached (9 min on 2 cores)"
    fi
    # torch's headers need C++20 while mmcv's build ends its flags with C++17; -O1 -g0 halves the build's time
    printf '#!/bin/sh\nexec %s "$@" -std=c++20 -g0 -O1\n' "${CXX:-c++}" >"$VENV/bin/ops-c++"
    chmod +x "$VENV/bin/ops-c++"

    run 'step 1: torch and the build tools (5 GB on disk; 1 to 5 min)' \
        pip_install -c "$ROOT/requirements.txt" -r "$ROOT/requirements-build.txt" ||
        fail_with_log 'torch or a build tool could not be installed.'
    [ -n "$wheel" ] || check_gpu_compiler
    run "$step" pip_install --no-build-isolation -c "$ROOT/requirements-build.txt" \
        -r "$ROOT/requirements.txt" -r "$ROOT/requirements-dev.txt" ||
        fail_with_log 'a package could not be installed.'
    run 'step 3: imtnas_mm itself, editable' pip_install --no-build-isolation --no-deps -e "$ROOT" ||
        fail_with_log 'imtnas_mm could not be installed.'

    say 'step 4: checks'
    check_imports 'torch, torchvision, cv2, mmengine, mmcv' ||
        fail_with_log 'a package is installed but does not import.' "Delete the environment and run again: rm -rf '$VENV'"
    if ! check_ops; then
        mend_ops || fail_with_log "mmcv's ops could not be compiled."
        check_ops || fail_with_log 'mmcv has no working ops even after it was compiled anew: mmdet cannot run.' \
            "See the log above for the compiler's messages; mmcv.ops must import and compute."
    fi
    # yapf writes a cache when it is first imported, which two processes at once would spoil for each other
    check_imports 'mmdet, mmpretrain, kornia, sklearn, timm, yapf.yapflib.yapf_api, imtnas_mm' ||
        fail_with_log 'a package is installed but does not import.' "Delete the environment and run again: rm -rf '$VENV'"

    rm -rf "$TMP"
    fingerprint >"$STAMP.new" && mv "$STAMP.new" "$STAMP"
    say 'set-up done: mmcv has its ops'
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
