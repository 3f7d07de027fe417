"""`edgecnn bench RUN --host pi@raspberrypi`: the same benchmark, on a machine that SSH reaches.

destination     the host, port and jump host that a user names, checked
ssh             commands there, through the system's own `ssh`
own_wheel       this installation of edgecnn as one file that pip installs
wheels          the packages it needs, downloaded here for the platform there
bundle          everything that goes there: wheel, models, labelled images, and how to measure
far_side        what runs there with nothing but Python: keeps files, makes the environment, starts, watches, stops
measure_there   what runs there within that environment: the benchmark itself
on_host         all of that in its order, and again after a dropped connection
"""
