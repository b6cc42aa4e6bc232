"""The end of dataloader workers that a test left behind."""
import signal


def end_workers(processes):
    """Ends them, and waits until they have ended.

    A worker that has hardly started dies of the signal, for which PyTorch's
    handler of SIGCHLD raises an error, wherever the main process is at that
    moment. So the handler is put aside meanwhile; it takes no notice of a
    process that was waited for.
    """
    if not processes:
        return
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
    finally:
        signal.signal(signal.SIGCHLD, handler)
