"""Measures exported models as their users will meet them, and says which to ship.

    statistics   many rounds become one figure with its interval; quantities with their units
    machine      what the machine is, what is installed and what is wrong with it
    process      the measured process: a worker that opens one model and answers requests
    measuring    accuracy, latency, cold start and memory of what a user names: candidates in, a result out
    judging      which file to ship, the known pitfalls, and what the figures do not show
    report       report.html and the tables of the terminal
    bench        all of it, in this order: bench.json, bench.csv, report.html
    comparing    two bench.json side by side, and limits for continuous integration
    remote       the same benchmark on a machine that SSH reaches

A model runs in a worker process, so that one that crashes or hangs ends nothing but itself.
"""
