"""What a group yields: rows of the table, points of the plot, and what was measured of a peer."""

import dataclasses


@dataclasses.dataclass
class Target:
    """A limit for Firn's figure, or for its ratio to the native one."""

    sense: str
    limit: float
    is_ratio: bool = False

    def is_met(self, value):
        return value <= self.limit if self.sense == "≤" else value >= self.limit


def ratio_at_most(limit):
    return Target("≤", limit, is_ratio=True)


def ratio_at_least(limit):
    return Target("≥", limit, is_ratio=True)


def at_most(limit):
    return Target("≤", limit)


@dataclasses.dataclass
class Row:
    """One measurement: of several sides with ratios, or of Firn alone. Times are better the smaller they are, rates
    the larger; the target's sense says which it is."""

    what: str
    unit: str
    firn: float | None = None
    native: float | None = None
    # Other filesystems' figures, by their names.
    others: dict = dataclasses.field(default_factory=dict)
    target: Target | None = None
    # One of `others` that Firn is to be no slower than.
    rival: str | None = None
    note: str = ""
    # The rest of its group could not be measured.
    has_failed: bool = False

    @property
    def ratio(self):
        return self.firn / self.native if self.firn is not None and self.native else None

    @property
    def is_met(self):
        """None where there is no target or nothing to compare."""
        value = self.ratio if self.target and self.target.is_ratio else self.firn
        if self.target is None or value is None:
            return None
        rival = self.others.get(self.rival)
        return self.target.is_met(value) and (rival is None or self.firn <= rival)


def missing(what, reason, target=None):
    return Row(what, "", target=target, note=reason)


@dataclasses.dataclass
class Point:
    """A commit's time in seconds where `files` files were there, or were changed."""

    series: str
    files: int
    seconds: float


@dataclasses.dataclass
class PeerRow:
    """What one peer needed for one data set: seconds and bytes by column; None where it has no such thing."""

    data: str
    peer: str
    figures: dict
    rounds: int
    note: str = ""
