"""An episode that a family takes up again, and samples of untrusted sources."""

from __future__ import annotations

from dataclasses import replace

from daemon.model import Episode
from store import Store
from tests.unit.store.store_testing import fake, minutes


def test_a_family_that_evades_again_takes_up_its_open_episode(store: Store) -> None:
    first = Episode(None, "sdxl", "alarmed", "v1", minutes(0), minutes(1), 13, 0.5, 0.4)
    store.samples.save_tests([], [first])
    learned = replace(store.samples.episodes()[0], state="learned", version="v2", learned_at=minutes(2))
    store.samples.update_episode(learned)
    store.samples.save_tests([], [replace(learned, state="alarmed", champion="v2", version=None, learned_at=None)])
    [episode] = store.samples.episodes()
    assert (episode.state, episode.champion, episode.version) == ("alarmed", "v2", None)


def test_only_the_pictures_of_untrusted_sources_are_barred_from_learning(store: Store) -> None:
    store.samples.admit("good", "trusted", [fake("a", source="site")], "1", minutes(0))
    store.samples.admit("bad", "untrusted", [fake("b", source="forum")], "1", minutes(1))
    assert len(store.samples.untrusted()) == 1
    assert store.samples.sample_counts()["active"] == 2
