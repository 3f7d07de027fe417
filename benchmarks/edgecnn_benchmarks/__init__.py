"""Measures exported models, as their users will meet them, and tells which to ship.

    candidates        what a user names becomes model files, labelled images, a reference
    accuracy          each model opens and classifies every labelled image
    rounds            latency, in turns and in fresh processes
    cold_start        process start to first result
    intervals         many rounds become one figure with its interval
    verdict           which file to ship, and what the figures do not show
    result, report    bench.json, bench.csv, report.html
    bench             all of it, in this order

    recommendation    which file to ship under given limits, from a bench.json
    comparison        two bench.json side by side; regressions: limits for continuous integration

A model runs in a `worker`, a process of its own, so that one that crashes or hangs ends nothing but itself.
"""
