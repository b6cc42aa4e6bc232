"""The page of a search: reads its work dir, draws the figures and writes one HTML file."""
from .write import PAGE, write_analyzed_log, write_report

__all__ = ['PAGE', 'write_analyzed_log', 'write_report']
