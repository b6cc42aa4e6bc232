"""Groups of A that decide on shared parts of the tasks' networks: the branching of BMTAS and the fusion of MTL-NAS."""
