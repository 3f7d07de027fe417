"""Options that several commands share or that belong together: dataclasses whose fields are options.

option_group        gives a command the options of a dataclass
default_command     groups of commands with a default one: `edgecnn bench RUN`
set_options         which images the commands of `edgecnn data` read
model_options       how a model file is opened
smoothing_options   how the answers to a video are smoothed
import_options      a model that becomes a run folder
export_options      formats, quantization and optimization of an export
host_options        a benchmark on another machine
"""
