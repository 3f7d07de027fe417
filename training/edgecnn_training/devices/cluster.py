"""The place of this process among those that train one network together, as TF_CONFIG says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from edgecnn_runtime.errors import InputError

TF_CONFIG = "TF_CONFIG"


@dataclass(frozen=True)
class Cluster:
    """The place of this process among those that train together; by default it trains alone."""

    worker: int = 0  # 0…workers - 1
    workers: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run."""
        return self.worker == 0


ALONE = Cluster()


def cluster_of_environment(environment: Mapping[str, str]) -> Cluster:
    """Read TF_CONFIG.

    Raises:
        InputError: it is not what TensorFlow takes.

    >>> hosts = {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}
    >>> config = json.dumps({"cluster": hosts, "task": {"type": "worker", "index": 1}})
    >>> cluster_of_environment({"TF_CONFIG": config})
    Cluster(worker=1, workers=2)
    """
    text = environment.get(TF_CONFIG)
    if not text:
        return ALONE
    try:
        document = json.loads(text)
        hosts, task = document["cluster"]["worker"], document["task"]
        index = task["index"]
        if set(document["cluster"]) != {"worker"} or task["type"] != "worker":
            raise ValueError("another kind of task than worker")
        if not isinstance(hosts, list) or not all(isinstance(host, str) and ":" in host for host in hosts):
            raise ValueError("workers that are not host:port")
        if not isinstance(index, int) or not 0 <= index < len(hosts):
            raise ValueError(f"index {index!r} for {len(hosts)} workers")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            'TF_CONFIG: expected {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0…}}, '
            f"got {text[:200]!r} ({type(error).__name__}: {error}); set it so, or unset it to train on this machine"
        ) from error
    return Cluster(worker=index, workers=len(hosts))
