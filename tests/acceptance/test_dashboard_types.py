"""The dashboards against Grafana's own types: `@grafana/schema` from npm, read by the TypeScript compiler.

An object literal of a type may have no key that the type does not know, so what compiles has none that Grafana ignores.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.accept,
    pytest.mark.skipif(not all(map(shutil.which, ("node", "npm"))), reason="node and npm are not installed"),
]

BOARDS = sorted((Path(__file__).parents[2] / "dashboards/grafana").glob("*.json"))
PACKAGES = ("@grafana/schema@13.2.3", "typescript@5.9.3")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiler and the types."""
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {PACKAGES}: {done.stderr[-300:]}")
    return folder


def compiled(folder: Path, boards: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What the compiler says of boards given as JSON text."""
    sources = []
    for name, text in boards.items():
        path = folder / f"{name}.ts"
        read = json.loads(text)
        marks = read.pop("annotations")
        # A query of an annotation has Prometheus's own field, which the general type cannot know.
        path.write_text(
            'import type { AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel } from "@grafana/schema";\n'
            "type Query = DataQuery & { expr: string };\n"
            f"const marks: {{ list: AnnotationQuery<Query>[] }} = {json.dumps(marks)};\n"
            f"const bare: Dashboard = {json.dumps(read)};\n"
            "const board: Dashboard = { ...bare, annotations: marks };\n"
            f"const panels: (Panel | RowPanel)[] = {json.dumps(read['panels'])};\n"
            "export { bare, board, panels };\n"
        )
        sources.append(str(path))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "preserve", "--moduleResolution", "bundler"]
    return subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", *options, *sources],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def test_every_dashboard_is_of_grafanas_types_and_has_no_key_that_grafana_does_not_know(packages: Path) -> None:
    done = compiled(packages, {board.stem: board.read_text() for board in BOARDS})
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_key_that_grafana_does_not_know_is_found(packages: Path) -> None:
    board = json.loads(BOARDS[0].read_text())
    board["panels"][0]["descripton"] = "misspelt"
    done = compiled(packages, {"misspelt": json.dumps(board)})
    assert done.returncode != 0
    assert "descripton" in done.stdout
