"""Networks that run stage by stage.

Their ``stages(x)`` is a generator: it yields the output of each stage, and goes
on with what is sent for it.
"""


def stage_outputs(stages):
    """The output of each stage of a network by itself, where each stage goes on with the output of the one before."""
    sent = None
    while True:
        try:
            sent = stages.send(sent)
        except StopIteration:
            return
        yield sent
