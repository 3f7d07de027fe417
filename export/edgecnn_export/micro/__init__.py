"""C++ source for microcontrollers: the bare network, its operators, the memory it needs."""
