"""What the stages of an iteration are made of: the turns of the tasks, the steps of their weights, their records."""
