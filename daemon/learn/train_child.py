"""The training child: takes the rows once, then trains the heads that it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daemon.children.frames import Frame
from daemon.children.host import Host
from daemon.heads.concept_training import ConceptRecipe, Concepts
from daemon.heads.probe import ProbeSettings
from daemon.heads.tensors import save_tensors
from daemon.heads.training import RECIPES, TrainingRows, Without, train_heads


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Train what is asked for, for ever; the epochs are told as they pass."""
    recipe = RECIPES[arguments["learner"]](**arguments["recipe"])
    if not isinstance(recipe, ProbeSettings):
        import torch

        torch.set_num_threads(1)  # products this small only wait for each other
    rows = _receive_rows(host)
    concepts = _receive_concepts(host) if isinstance(recipe, ConceptRecipe) else None
    while True:
        task = host.receive().header
        heads = train_heads(
            rows,
            recipe,
            [Without(**head) for head in task["heads"]],
            concepts=concepts,
            progress=lambda done, total: host.send({"epoch": done, "of": total}),
        )
        about = [
            {
                "epochs": head.epochs,
                "best_epoch": head.best_epoch,
                "losses": list(head.losses),
                "converged": head.converged,
            }
            for head in heads
        ]
        host.send({"heads": about}, [save_tensors(head.head.to_tensors()) for head in heads])


def _receive_concepts(host: Host) -> Concepts:
    frame = host.receive()
    concepts = Concepts.from_bytes(frame.header["concepts"], frame.parts[0])
    host.send({"taken": len(concepts.names)})
    return concepts


def _receive_rows(host: Host) -> TrainingRows:
    parts: list[TrainingRows] = []
    while True:
        frame = host.receive()
        parts.append(_rows_of(frame))
        host.send({"taken": len(parts[-1].synthetic)})
        if frame.header["last"]:
            return TrainingRows(
                *(
                    np.concatenate([getattr(part, name) for part in parts])
                    for name in ("vectors", "synthetic", "folds", "sources", "validation")
                )
            )


def _rows_of(frame: Frame) -> TrainingRows:
    vectors, synthetic, folds, sources, validation = frame.parts
    return TrainingRows(
        np.frombuffer(vectors, np.float16).reshape(-1, frame.header["dimension"]),
        np.frombuffer(synthetic, np.bool_),
        np.frombuffer(folds, np.int8),
        np.frombuffer(sources, np.int32),
        np.frombuffer(validation, np.bool_),
    )
