"""The command line of edgecnn: parsing and printing; the work is done in the rooms below.

app         the command `edgecnn`, and what becomes of an error
commands/   one file per command
workflows/  what a command does over several rooms
options/    options that several commands share
printing/   tables, scores and progress
console     what is printed where, with --json and --quiet
"""
