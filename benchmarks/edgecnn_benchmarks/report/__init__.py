"""`report.html`: one file that needs no network, for a colleague, a slide or a sheet of paper."""
