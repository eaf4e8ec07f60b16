"""Reports of runs: collected once from the store, written as HTML, Markdown, CSV, JSON or an Excel workbook.

    StoredRun --report_of--> Report --to_html, to_markdown, to_csv, to_json, to_xlsx--> a file

`page/` holds the HTML page's template, style and scripts.
"""

from .content import Report, report_of

__all__ = ["Report", "report_of"]
