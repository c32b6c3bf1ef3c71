#!/bin/sh
# Print a Python that can build and run goodneighbor, or say what is missing and the line that
# brings it. `make` asks this before it makes .venv. Portable sh: it runs where nothing is installed.
#
#   sh kernel/toolchain.sh [PYTHON]     with PYTHON, only that one is tried
set -eu

python_needed='import sys; sys.exit(sys.version_info < (3, 11))'
headers_needed='
import os, sys, sysconfig
folder = sysconfig.get_path("include")
sys.exit(not os.path.exists(os.path.join(folder, "Python.h")) and "in " + folder)'

refuse() { # what is missing, and on macOS what brings it when that is not Apple's tools
    if [ "$(uname -s)" = Darwin ]; then
        bring=${2:-xcode-select --install}
    else
        bring='apt-get install python3-dev python3-venv build-essential git'
    fi
    printf 'goodneighbor cannot be built here: %s is missing.\nInstall it with\n\n    %s\n\n' \
        "$1" "$bring" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The first Python that has everything; else the first that is new enough, to say what it lacks.
find_python() {
    partial=
    for python in "$@"; do
        "$python" -c "$python_needed" >/dev/null 2>&1 || continue
        if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 &&
            "$python" -c "$headers_needed" >/dev/null 2>&1; then
            printf '%s\n' "$python"
            return
        fi
        : "${partial:=$python}"
    done
    [ -n "$partial" ] || refuse 'Python 3.11 or newer' 'brew install python'
    "$partial" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        refuse "the venv module of $partial (ensurepip)" 'brew install python'
    refuse "Python.h (the headers of $partial, looked for $("$partial" -c "$headers_needed" 2>&1))"
}

have cc || refuse 'a C compiler (cc)'
have c++ || refuse 'a C++ compiler (c++)'
have git || refuse 'git'
case $(git --version) in
'git version '[01].* | 'git version 2.'[0-9] | 'git version 2.'[0-9].* | \
    'git version 2.'[12][0-9]* | 'git version 2.3'[0-8]*)
    refuse "git 2.39 or newer (this is $(git --version))" 'brew install git'
    ;;
esac

if [ -n "${1-}" ]; then
    find_python "$1"
else
    find_python python3.14 python3.13 python3.12 python3.11 python3
fi
