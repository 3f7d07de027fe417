"""Measuring, from what a user names to a result.

candidates         the model files of a run, or those that are named
labelled_images    their labelled images, in the shape each model takes
accuracy           each model opens and classifies every labelled image; answers: what it says beside the reference
rounds             latency, in turns and in fresh processes; timing: what the turns say
cold_start         process start to first result
memory             what a fresh process of each model holds
measurement        all of it, stage by stage
device_estimates   what nobody measured: microcontrollers and NPUs
result             what was found; result_file reads it back
"""
