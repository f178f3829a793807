"""What people look at beyond the snapshot: figures over time, scores, evidence, pictures, verdicts, timelines."""
