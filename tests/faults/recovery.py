"""What comes after a kill: a new process opens the store, drains, sends again, closes, exports.

What the dead had not been told is kept is sent again, as a stream would. So the events are in the
end those of an undisturbed run, and so must be the documents.
"""

from collections.abc import Collection

from goodneighbor.store import NotAStore, StoreMissing
from goodneighbor.store.disk import DISK

from . import roles
from .facts import Facts, held, look
from .journal import Journal
from .roles import Place
from .script import Round


def recover(place: Place, script: Round, told: Collection[int], journal: Journal) -> Facts:
    """Bring a store whose processes died to the end of its round; return what it then holds.

    `told` are the sendings that were acknowledged to the dead.
    """
    roles.recover(place)
    with place.open() as store:
        store.drain()
        drained = held(place)
        for index in range(len(script.sendings)):
            if index not in told:
                roles.send(store, script, index, journal)
        store.known_files(place.paths(script.known))
        store.collect(place.paths(script.files))
        store.close_frame(script.frame, expect=roles.expected())
        roles.absorb(store, place, script)
        exported = store.export(place.tree)
        withheld = [f"{each.path}: {each.reason}" for each in exported.refused]
        withheld += [f"{each.path}: taken for somebody's work" for each in exported.saved]
        return look(place, store, drained, withheld)


def create_again(place: Place, script: Round, journal: Journal) -> None:
    """Make the store that a killed process did not, or find that it did."""
    try:
        place.open().close()
    except (NotAStore, StoreMissing):
        roles.create(place, script, journal, DISK)
    with place.open() as store:
        faults = store.verify()
        assert faults == [], faults
