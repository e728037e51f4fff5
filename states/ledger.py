"""What `settled` and `excess` of an order line follow from: what was paid, what came back, what was written off."""


def settled_and_excess(*, captured: int, committed: int, paid: int, stray: int, written_off: int) -> tuple[int, int]:
    """Return the columns settled and excess, in minor units.

    `committed` is what is reserved or in flight, `paid` what went out and did not come back (strays too),
    `stray` the strays still to be returned or written off, `written_off` what finance gave up for good.

    What was written off lowers the excess alone as long as the captured amount bears it. Beyond that it must
    be hidden from settled too, or reserved + in flight + settled would exceed captured + excess. It is never
    hidden further than that, so nothing written off can be claimed again.
    """
    short = max(0, committed + paid - stray - captured)
    hidden = min(written_off, short, max(0, paid - stray))
    return paid - hidden, stray + short - hidden
