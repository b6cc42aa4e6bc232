"""A part of a test in a fork of this process."""
import os
import traceback


def in_fork(function, *args):
    """Calls a function in a fork, where it must not fail.

    torch.export and onnxruntime leave threads behind, after which the forks of other tests could not train.
    """
    number = os.fork()
    if not number:
        code = 1
        try:
            function(*args)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(number, 0)[1] == 0, 'the fork failed; its error is in the captured output'
