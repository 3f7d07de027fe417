"""Networks: `network` is trained, saved and exported; it may have a `frozen_base` with `pretrained` weights.

Recipes build it in a `width`. `augmentation_layers` go in front of it while it is trained; `network_layers` and
`network_size` describe it.
"""
