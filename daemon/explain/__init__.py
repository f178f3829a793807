"""Why: what a picture's logit is made of, and what sets a family apart; concepts for CLIP, feature groups else."""
