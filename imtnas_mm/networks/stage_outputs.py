"""Runs a network stage by stage.

``stages(x)`` of a network is a generator. It yields the output of each stage
and feeds the next stage with the map that the caller sends back.
"""
from collections.abc import Generator, Iterator

from torch import Tensor

Stages = Generator[Tensor, Tensor, None]  # yields the output of a stage, takes the input of the next stage


def stage_outputs(stages: Stages) -> Iterator[Tensor]:
    """The output of each stage of a single network: each stage takes the output of the stage before it."""
    output = next(stages, None)
    while output is not None:
        yield output
        try:
            output = stages.send(output)
        except StopIteration:
            return
