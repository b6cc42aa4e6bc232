"""Hook of a search that rewrites its page, report.html in the work dir, at each validation and at the end."""

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...search_report import write_report


@HOOKS.register_module()
class ReportHook(Hook):
    """Writes ``report.html`` after each validation and at the end; ``tools/report_search.py`` writes it at any time."""
    priority = 'LOW'  # after the logger, whose figures of the validation are on the page

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self.write(runner)

    def after_train(self, runner: Runner) -> None:
        self.write(runner)

    @master_only
    def write(self, runner: Runner) -> None:
        try:
            write_report(runner.work_dir)
        except (OSError, ValueError) as error:  # a page is no reason to lose the search
            runner.logger.warning(f'{runner.work_dir}: its page could not be written: {error}. The search goes on; '
                                  'tools/report_search.py writes the page later')
