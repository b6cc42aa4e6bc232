"""Reads, checks and writes the files of a user: whole files, exports, checkpoints as safetensors, texts of configs."""
