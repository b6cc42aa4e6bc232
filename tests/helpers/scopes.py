"""mmengine's default scope, which is a global of the process."""
import contextlib

from mmengine.registry import DefaultScope


@contextlib.contextmanager
def own_scope():
    """Whatever sets the current default scope within, it is put back."""
    before = dict(DefaultScope._instance_dict)
    try:
        yield
    finally:
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(before)
