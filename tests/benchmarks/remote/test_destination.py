import pytest

from edgecnn_benchmarks.remote.destination import Destination
from edgecnn_runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "address", "port", "folder"),
    [
        ("pi@raspberrypi", "pi@raspberrypi", None, "raspberrypi"),
        ("Jetson-2.local", "Jetson-2.local", None, "Jetson-2.local"),
        ("ssh://pi@Pi4:2222", "pi@Pi4", 2222, "Pi4-2222"),
        ("ssh://pi4/", "pi4", None, "pi4"),
        ("root@192.168.0.7", "root@192.168.0.7", None, "192.168.0.7"),
        ("ssh://root@[fe80::1]:22", "root@fe80::1", 22, "fe80__1-22"),
        ("machine$@desk", "machine$@desk", None, "desk"),
    ],
)
def test_reads_what_ssh_takes(text: str, address: str, port: int | None, folder: str) -> None:
    destination = Destination.read(text)
    assert (destination.address, destination.port, destination.folder_name) == (address, port, folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=touch x",
        "pi@-oProxyCommand=x",
        "-l@host",
        "host;reboot",
        "host name",
        "$(id)@host",
        "`id`@host",
        "pi@host\nmore",
        "pi@",
        "@host",
        "ssh://pi:secret@host",
        "ssh://host/path",
        "ssh://host:99999",
        "ssh://-oX=y",
        "../up",
        "..",
    ],
)
def test_refuses_what_ssh_or_a_shell_would_take_otherwise(text: str) -> None:
    with pytest.raises(
        InputError, match=r"host: expected user@host, a host, one of ~/.ssh/config or ssh://user@host:port"
    ):
        Destination.read(text)


@pytest.mark.parametrize("jump", ["-oX", "a b", "gate,;", "", "gate:0x"])
def test_refuses_a_jump_host_that_is_none(jump: str) -> None:
    with pytest.raises(InputError, match="host jump: "):
        Destination.read("pi", jump=jump)


def test_takes_several_jump_hosts() -> None:
    assert Destination.read("pi", jump="me@gate:2222,inner").jump == "me@gate:2222,inner"


def test_refuses_a_port_or_a_configuration_that_is_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(InputError, match="host port: expected a number from 1 to 65535, got 0"):
        Destination.read("pi", port=0)
    with pytest.raises(InputError, match="host config: expected a file"):
        Destination.read("pi", config=tmp_path_factory.mktemp("none") / "config")
