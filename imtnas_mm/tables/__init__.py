"""Tabular benchmarks, and the methods that ask them for accuracies instead of training."""
