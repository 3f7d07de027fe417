"""An S3 server for the tests that read object stores."""

from collections.abc import Iterator

import needs
import pytest


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The options of an address that lead to a server in this process; the credentials are any."""
    needs.package("moto", "moto[s3,server]")
    from moto.server import ThreadedMotoServer

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"?endpoint_override={host}:{port}&scheme=http&region=eu-west-1&allow_bucket_creation=true"
        server.stop()
