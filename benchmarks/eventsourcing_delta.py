"""A delta as an aggregate of the `eventsourcing` library: made once, never changed."""

from typing import Any

from eventsourcing.domain import Aggregate


class Delta(Aggregate):
    """One event, which holds the delta as it was sent."""

    class Sent(Aggregate.Created):
        """The delta was sent."""

        body: str

    @classmethod
    def send(cls, body: str) -> Any:
        """Make one, to be saved."""
        return cls._create(cls.Sent, body=body)
