"""Whether a version comes into force: the gate and its verdicts, pure functions of scores; what people decide."""
