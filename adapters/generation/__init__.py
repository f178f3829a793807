"""What the adapter `generate` is made of: prompts, orders, the day's budget, and one file per back-end."""
