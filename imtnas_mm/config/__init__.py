"""What is read from a config and what is changed in it, before anything is built."""
