"""Shell constructs that old shells or macOS lack, each with the portable way (rule 8)."""

import re
from typing import NamedTuple

_COMMAND = r"(?:^|[;&|(`{!]|\b(?:then|do|else|if|while|until|exec|env|nohup)\s)\s*"


class Construct(NamedTuple):
    """What a line must not hold, who lacks it, and what to write instead."""

    pattern: re.Pattern[str]
    lacks: str
    portable: str


def _construct(pattern: str, lacks: str, portable: str) -> Construct:
    return Construct(re.compile(pattern), lacks, portable)


CONSTRUCTS = (
    _construct(
        _COMMAND + r"g?timeout\s+[^=\s]",
        "macOS has no `timeout`",
        "`COMMAND & p=$!; (sleep 60; kill $p) & k=$!; wait $p; kill $k`",
    ),
    _construct(
        r"\b(?:declare|typeset|local)\s+-\w*A",
        "`declare -A` needs bash 4; macOS has 3.2, sh none",
        "a `case`, or a file for each key",
    ),
    _construct(
        r"\$\{\w+\[-\d+\]",
        "`${a[-1]}` needs bash 4.3; macOS has 3.2, sh no arrays",
        'the positional parameters: `for last in "$@"; do :; done`',
    ),
    _construct(
        r"\bsed\s+(?:-\w+\s+)*(?:-\w*i|--in-place)",
        "`sed -i` takes a suffix on macOS and none on Linux",
        "`sed 's/a/b/' FILE > FILE.new && mv FILE.new FILE`",
    ),
    _construct(
        r"\bdate\s+(?:-\w+\s+|\+\S+\s+)*(?:-\w*d\b|--date)",
        "`date -d` is GNU's; macOS spells it otherwise",
        "seconds since 1970 (`date +%s`) and arithmetic",
    ),
    _construct(
        r"\breadlink\s+(?:-\w+\s+)*-\w*[fem]\b",
        "`readlink -f` is not on macOS before 12.3",
        '`$(cd "$(dirname "$0")" && pwd -P)`',
    ),
    _construct(
        r"\bgrep\s+(?:-\w+\s+)*(?:-\w*P|--perl-regexp)",
        "`grep -P` is GNU's alone",
        "`grep -E`, or awk",
    ),
    _construct(
        _COMMAND + r"(?:mapfile|readarray)\b",
        "`mapfile` needs bash 4",
        "`while IFS= read -r line; do ...; done < FILE`",
    ),
    _construct(
        r"\$\{\w+(?:\[[^]]*\])?(?:,,|\^\^)",
        "`${x,,}` needs bash 4",
        "`printf %s \"$x\" | tr '[:upper:]' '[:lower:]'`",
    ),
    _construct(
        _COMMAND + r"wait\s+-\w*n",
        "`wait -n` needs bash 4.3",
        "`wait PID` for each process in turn",
    ),
)
