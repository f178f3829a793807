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
if x.ndim != 2 or x.shape[1] != t["head.weights"].shape[1] or not np.isfinite(x).all():
    sys.exit(
        f"expected rows of {t['head.weights'].shape[1]} numbers, finite as float16, not this array of shape {x.shape}"
    )
logit = (x @ t["head.weights"].T + t["head.biases"]) @ t["head.read_out"] + t["head.offset"]
for one in logit:
    p = np.exp(-np.logaddexp(0.0, -sigmoid["a"] * one - sigmoid["b"]))
    print(json.dumps({"logit": one, "probability": p, "synthetic": bool(one > float(threshold))}))
