"""Logit, probability and verdict of vectors: `python score.py VECTORS.npy`; needs numpy and safetensors only."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

here = Path(__file__).parent
manifest, t = json.loads((here / "manifest.json").read_text("utf-8")), load_file(here / "tensors.safetensors")
head, sigmoid, threshold = manifest["heads"]["head"], manifest["calibration"], manifest["thresholds"]["raw"]["value"]
x = np.load(sys.argv[1], allow_pickle=False).astype(np.float16).astype(np.float64)  # rounded as they were learned
if x.ndim != 2 or x.shape[1] != len(t["head.centre"]) or not np.isfinite(x).all():
    sys.exit(f"expected rows of {len(t['head.centre'])} numbers, finite as float16, not this array of shape {x.shape}")
fake, prior = np.array([kind == "family" for kind, *_ in head["groups"]]), t["head.log_weights"]
soft = head.get("source_tau", head["tau"])  # absent before sharpness was told apart by side
tau = np.where(fake, head["tau"], soft)
z = (x - t["head.centre"]) * t["head.inverse_scale"] @ t["head.units"]
near = tau * (z @ t["head.means"].T - t["head.half_norms"]) + prior
real, floor = np.logaddexp.reduce(near[:, ~fake], axis=1), np.logaddexp.reduce(prior[~fake])
logit = np.logaddexp.reduce(near[:, fake], axis=1) - floor - head["tau"] / soft * (real - floor)
for one in logit:
    p = np.exp(-np.logaddexp(0.0, -sigmoid["a"] * one - sigmoid["b"]))
    print(json.dumps({"logit": one, "probability": p, "synthetic": bool(one > float(threshold))}))
