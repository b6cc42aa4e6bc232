"""Gumbel and logistic noise for relaxed choices, drawn from a given generator."""
import torch


def gumbel(like, generator):
    """Standard Gumbel noise with the shape, dtype and device of a tensor."""
    # minus the log of a standard exponential variable is a standard Gumbel variable
    return -torch.empty(like.shape).exponential_(generator=generator).log().to(like)


def logistic(like, generator):
    """Standard logistic noise, ``log u - log(1 - u)``, with the shape, dtype and device of a tensor."""
    uniform = torch.rand(like.shape, generator=generator, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
    return uniform.logit().to(like)
