"""Puts an explainer together for a version."""

from __future__ import annotations

from threading import Lock

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.explain.background import read_background
from daemon.explain.layout import layout_of
from daemon.explain.picture import Explainer
from daemon.explain.space import space_of
from daemon.explain.vocabulary import load_vocabulary
from daemon.heads.concept_head import ConceptHead
from daemon.reembed.recorded import settings_of


def make_explainer(context: Context, version: LoadedVersion) -> Explainer:
    """An explainer of that version; computes and keeps the vocabulary's embeddings when they are not there.

    Raises ConfigurationError, WeightsMissing, ChildFailed.
    """
    head = version.artifact.head
    layout = layout_of(settings_of(context, version.record.fingerprint), head.dimension)
    background = read_background(context.samples, version.record.fingerprint, head.dimension)
    if isinstance(head, ConceptHead):
        return Explainer(head, layout, background, None, load_vocabulary(context.settings.explain.vocabulary))
    return Explainer(head, layout, background, space_of(context, version.record.fingerprint, layout), None)


class ExplainerCache:
    """The champion's explainer, made when first asked for; safe in any thread.

    Made again for the next champion, and when something was learned or forgotten: a forgotten picture must not live on
    in the reference.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: tuple[tuple[str, int], Explainer] | None = None

    def get(self, context: Context, champion: LoadedVersion) -> Explainer:
        """Raises as `make_explainer`."""
        key = champion.record.id, context.samples.statistics_revision(champion.record.fingerprint)
        with self._lock:
            if self._made is None or self._made[0] != key:
                self._made = key, make_explainer(context, champion)
            return self._made[1]
