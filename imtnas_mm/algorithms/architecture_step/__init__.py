"""What the step of A is made of: the scale of the tasks' losses, the term for the cost, and figures of the gradient."""
