"""The rehearsal of experiments: one iteration of every training on images of noise, and the cost of the whole."""
