"""Plain text tables."""

from setun.tables import table


def test_text_goes_left_and_numbers_go_right() -> None:
    assert table(("name", "size"), [("a", 5), ("bcdef", 12345)]) == (
        "name    size\n-----  -----\na          5\nbcdef  12345"
    )


def test_numbers_may_be_text_and_a_dash_is_none() -> None:
    assert table(("x", "y"), [("1.2e-06", "-"), ("5", "12")]) == "      x   y\n-------  --\n1.2e-06   -\n      5  12"


def test_fractions_have_one_digit_and_long_cells_lose_their_middle() -> None:
    assert table(("n", "x"), [("0123456789", 1.25)], widest=6).splitlines()[2] == "01..89  1.2"


def test_control_characters_of_a_hostile_name_do_not_reach_the_terminal() -> None:
    assert table(("n",), [("a\x1b[2J\nb",)]).splitlines()[2] == "a [2J b"


def test_no_rows_leave_the_heading() -> None:
    assert table(("a", "b"), []) == "a  b\n-  -"
