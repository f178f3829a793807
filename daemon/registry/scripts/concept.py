"""Logit, probability and verdict of vectors: `python score.py VECTORS.npy`; needs numpy and safetensors only."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

here = Path(__file__).parent
manifest, t = json.loads((here / "manifest.json").read_text("utf-8")), load_file(here / "tensors.safetensors")
sigmoid, threshold = manifest["calibration"], manifest["thresholds"]["raw"]["value"]
x = np.load(sys.argv[1], allow_pickle=False).astype(np.float16).astype(np.float64)  # rounded as they were learned
if x.ndim != 2 or x.shape[1] != len(t["head.projection"]) or not np.isfinite(x).all():
    sys.exit(
        f"expected rows of {len(t['head.projection'])} numbers, finite as float16, not this array of shape {x.shape}"
    )
e = x @ t["head.projection"]
e /= np.maximum(np.linalg.norm(e, axis=1, keepdims=True), 1e-12)
gate = 1 / (1 + np.exp(-(e @ t["head.gate_weights"].T + t["head.gate_biases"])))
logit = gate * (e @ t["head.directions"].T) @ t["head.weights"] + t["head.offset"]
for one in logit:
    p = np.exp(-np.logaddexp(0.0, -sigmoid["a"] * one - sigmoid["b"]))
    print(json.dumps({"logit": one, "probability": p, "synthetic": bool(one > float(threshold))}))
