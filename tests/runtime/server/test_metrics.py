"""Prometheus's text format, by its own rules and, where it is installed, by its own parser."""

import re

import needs
import pytest
from running_server import a_service, png, running

from edgecnn_runtime.server.metrics import Histogram, Metrics

SAMPLE = re.compile(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)')


@pytest.fixture(scope="module")
def text() -> str:
    with running(a_service()) as address:
        address.classify_files(("a", png(1)), ("b", png(200)), ("c", b"no image"))
        address.ask("/made/up")
        answer = address.ask("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.body.decode()


def test_every_line_is_a_sample_or_says_what_follows(text: str) -> None:
    described: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in described
            described[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            float(match[3])
            name = match[1]
            assert name in described or re.sub(r"_(bucket|sum|count)$", "", name) in described
    assert text.endswith("\n")
    assert described["edgecnn_inference_seconds"] == "histogram"


@pytest.mark.parametrize(
    "line",
    [
        'edgecnn_model_info{model="grey",scheme="float32",version=',
        "edgecnn_workers 2\n",
        'edgecnn_images_total{outcome="classified"} 2\n',
        'edgecnn_images_total{outcome="refused"} 1\n',
        "edgecnn_inference_seconds_count 2\n",
        'edgecnn_decode_seconds_bucket{le="+Inf"} 2\n',
        "edgecnn_classify_request_seconds_count 1\n",
        'edgecnn_http_requests_total{route="/v1/classify",method="POST",status="200"} 1\n',
        'edgecnn_http_requests_total{route="other",method="GET",status="404"} 1\n',
    ],
)
def test_what_was_done_is_counted(line: str, text: str) -> None:
    assert line in text


def test_there_is_no_camera_to_count(text: str) -> None:
    assert "camera" not in text


def test_prometheus_reads_it(text: str) -> None:
    parser = needs.package("prometheus_client.parser", "prometheus_client")
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["edgecnn_inference_seconds"].type == "histogram"
    assert {sample.labels["outcome"]: sample.value for sample in families["edgecnn_images"].samples} == {
        "classified": 2.0,
        "refused": 1.0,
    }


def test_a_bound_holds_what_equals_it() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.00051, 10.0, 11.0):
        histogram.observe(seconds)
    lines = list(histogram.lines("x"))
    assert lines[0] == 'x_bucket{le="0.0005"} 1'
    assert lines[1] == 'x_bucket{le="0.001"} 2'
    assert lines[-4:-2] == ['x_bucket{le="10"} 3', 'x_bucket{le="+Inf"} 4']
    assert lines[-1] == "x_count 4"


def test_a_name_cannot_break_out_of_its_quotes() -> None:
    metrics = Metrics('a"} 1\nevil 2', "int8", "1", workers=1)
    assert "\nevil" not in metrics.render(None)
