"""What a sweep looks at."""

from itertools import islice

from refundflow.service.sweep import LOOK_AHEAD, found


def test_nobody_looks_past_a_batch_that_is_enough() -> None:
    """A second page is read for who asks for more, gives nothing twice, and is the last."""
    due, asked = [f"O{number}-1-1" for number in range(99)], []

    def find(page: int) -> list[str]:
        asked.append(page)
        return due[:page]

    given = found(find, 2, {("O0", "1")})
    assert list(islice(given, 2)) == due[1:3] and asked == [3]
    assert list(given) == due[3 : 2 * LOOK_AHEAD + 1] and asked == [3, 2 * LOOK_AHEAD + 1]


def test_nobody_looks_past_the_last() -> None:
    """A page that is not full has nothing behind it."""
    pages = iter([["O1-1-1"]])
    assert list(found(lambda _: next(pages), 2, set())) == ["O1-1-1"]
