"""The rehearsal of experiments: one iteration of every training on images of noise, and what all of it will cost."""
