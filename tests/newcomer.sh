#!/bin/sh
# Do what the README tells somebody new, from an empty folder.
#
#   sh tests/newcomer.sh CLONE_FROM
#
# CLONE_FROM is what to clone. Works in the folder it is started in, which must be empty; `tests/test_readme.py`
# holds its commands against the README's. Where pipx is missing, what it does is done by hand.
set -eu

say() { printf '\n== %s\n' "$1"; }
stop() {
    printf 'newcomer: %s\n' "$1" >&2
    exit 1
}

[ "$#" -eq 1 ] || stop 'usage: sh tests/newcomer.sh CLONE_FROM'
[ -z "$(ls -A)" ] || stop "the folder $PWD is not empty"
empty=$PWD

say 'Clone'
git clone --quiet "$1" goodneighbor
cd goodneighbor

say 'make demo'
make demo

say 'Install for use in other repositories'
PIPX_HOME=$empty/pipx PIPX_BIN_DIR=$empty/bin
export PIPX_HOME PIPX_BIN_DIR
if command -v pipx >/dev/null 2>&1; then
    pipx install --quiet "git+file://$PWD"
else # the same by hand
    "$(sh kernel/toolchain.sh)" -m venv "$PIPX_HOME"
    "$PIPX_HOME/bin/python" -m pip install --quiet "git+file://$PWD"
    mkdir "$PIPX_BIN_DIR"
    ln -s "$PIPX_HOME/bin/neighbor" "$PIPX_BIN_DIR/neighbor"
fi
PATH=$PIPX_BIN_DIR:$PATH
export PATH

say 'Take a repository in'
mkdir "$empty/site"
cd "$empty/site"
git init --quiet
git config user.name Ada
git config user.email ada@example.org
mkdir state
printf '{"agents": {"ada": {"post_count": 0}}}\n' >state/agents.json
printf '{"total_posts": 0}\n' >state/stats.json
git add state
git commit --quiet --message 'The state before'
neighbor init --commit

say 'A frame of four streams'
cat >agent.sh <<'END'
#!/bin/sh
echo '{"posts_created": [{"number": 9, "author": "ada"}]}' | neighbor append
END
chmod +x agent.sh
git add agent.sh
git commit --quiet --message 'An agent'
neighbor run --streams 4 -- ./agent.sh
neighbor frame show 1

say 'A frame by hand'
neighbor frame open 2 --stream stream-1
echo '{"posts_created": [{"number": 1, "author": "ada"}]}' |
    neighbor append --frame 2 --stream stream-1
neighbor frame close 2

say 'Wiped, and put right'
cp state/agents.json ../before.json
printf '{"agents": {}}' >state/agents.json
if neighbor export --check; then stop 'export --check did not see the wiped document'; fi
neighbor export
cmp state/agents.json ../before.json || stop 'the document is not what it was'
neighbor verify
neighbor replay --check

say 'Done'
