"""One operation as it is typed after `--op`."""

import pytest
from goodneighbor.cli.errors import UsageInvalid
from goodneighbor.cli.operation import read_operation


def test_an_operation_is_name_path_and_json() -> None:
    assert read_operation("inc /agents/a/karma 1") == {
        "op": "inc",
        "path": "/agents/a/karma",
        "value": 1,
    }
    assert read_operation('set  /agents/a  {"name": "A B"}')["value"] == {"name": "A B"}


def test_a_string_may_stand_in_single_quotes_as_in_the_rules() -> None:
    assert read_operation("set /agents/a/status 'on leave'")["value"] == "on leave"
    assert read_operation('set /agents/a/status "active"')["value"] == "active"


def test_remove_takes_no_value() -> None:
    assert read_operation("remove /agents/a/status") == {"op": "remove", "path": "/agents/a/status"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no operation ''"),
        ("add /agents/a/karma 1", "no operation 'add'"),
        ("inc? /agents/a/karma 1", "no operation 'inc?'"),
        ("inc", "after 'inc' comes a path"),
        ("inc agents/a 1", "after 'inc' comes a path"),
        ("inc /agents/a/karma", "needs a value"),
        ("remove /agents/a/karma 1", "takes no value"),
        ("set /agents/a/status on leave", "is not JSON"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        read_operation(text)
    assert said in str(caught.value)
