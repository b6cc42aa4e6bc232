"""The page of a search: reads what a work dir holds, draws it and writes it as one HTML file."""
from .write import PAGE, write_analyzed_log, write_report

__all__ = ['PAGE', 'write_analyzed_log', 'write_report']
