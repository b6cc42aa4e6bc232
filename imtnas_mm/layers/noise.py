"""Random numbers behind relaxed choices, from a given generator."""
import torch


def gumbel(like, generator):
    """Standard Gumbel noise in the shape, type and place of a tensor."""
    # -log of a standard exponential variable is a standard Gumbel one
    return -torch.empty(like.shape).exponential_(generator=generator).log().to(like)


def logistic(like, generator):
    """Standard logistic noise, ``log u - log(1 - u)``, in the shape, type and place of a tensor."""
    uniform = torch.rand(like.shape, generator=generator, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
    return uniform.logit().to(like)
