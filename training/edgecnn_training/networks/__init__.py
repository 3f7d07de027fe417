"""Networks: the one that is trained, saved and exported, its frozen base, its augmentation layers."""
