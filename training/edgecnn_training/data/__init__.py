"""Prepared image sets: from what the world ships to arrays that everything else reads, in the order of the flow.

`known_sets` and `open_source` find a source, `readers/` read it, `checks/` find what is wrong with it (`finding`),
`holdout` takes test images out, `write_set` decodes and writes, and `prepare` does all of it.
"""
