"""Training with noise-robust losses: losses for torch, label noise, data, models and a loop."""
