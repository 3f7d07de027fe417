"""`report.html`, one file that needs no network, and the tables of the terminal.

page       the order of the sections, each a file: figures_table, scatter, distribution, bars, answers_section, …
svg        the parts of a chart: scale, label_places
terminal   the same figures as text
"""
