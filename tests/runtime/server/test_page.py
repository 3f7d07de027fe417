"""The page in a real browser: a picture is dropped, the label appears; the stream moves; nothing leaves the machine."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, Page, running_browser
from PIL import Image
from running_server import Address, GatedBackend, a_service, png, running

from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.page import page
from edgecnn_runtime.video.capture.fake import FakeCamera
from edgecnn_runtime.video.capture.newest import NewestFrames

LABEL = "document.getElementById('label').textContent"
STATE = "document.getElementById('state').textContent"
FIGURES = "document.getElementById('figures').innerText"
OPEN = "!document.getElementById('columns').hidden"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with running(a_service(limits=RequestLimits(body_bytes=2**20))) as address:
        yield address


def opened(browser: Browser, url: str, *, width: int = 1200, dark: bool = False) -> Page:
    tab = browser.new_page()
    tab.look(width=width, height=860, dark=dark)
    tab.open(url)
    return tab


def nothing_leaves(tab: Page, address: Address) -> None:
    """Every request of the page went to its own server, and nothing was refused by its policy."""
    assert tab.requests
    assert [url for url in tab.requests if not url.startswith((address.url, f"blob:{address.url}", "data:"))] == []
    assert tab.complaints == []


def files(folder: Path, **values: int) -> list[Path]:
    for name, value in values.items():
        (folder / f"{name}.png").write_bytes(png(value))
    return [folder / f"{name}.png" for name in values]


def test_a_picture_is_dropped_and_the_label_appears(browser: Browser, address: Address, tmp_path: Path) -> None:
    tab = opened(browser, address.url)
    tab.wait_for(OPEN)
    assert tab.evaluate("document.title") == "grey · edgecnn serve"
    assert tab.evaluate(LABEL) == "–"
    tab.drop(*files(tmp_path, coal=3, snow=250))
    tab.wait_for(f"{LABEL} === 'white'")
    assert tab.evaluate("document.getElementById('picture').alt") == "snow.png"
    assert tab.evaluate("[...document.querySelectorAll('#bars li')].map(row => row.innerText.split('\\n'))") == [
        ["white", "100 %"], ["black", "0 %"], ["dark", "0 %"], ["bright", "0 %"],
    ]  # fmt: skip
    widths = "[...document.querySelectorAll('#bars i')].map(bar => bar.style.width)"
    assert tab.evaluate(widths) == ["100%", "0%", "0%", "0%"]
    figures = tab.evaluate(FIGURES)
    assert re.fullmatch(r"Inference\n[\d.]+ ms\nDecoding\n[\d.]+ ms\nRound trip\n[\d.]+ ms", figures)
    assert tab.evaluate("document.querySelectorAll('#list li').length") == 2
    tab.evaluate("document.querySelectorAll('#list button')[1].click()")
    assert tab.evaluate(LABEL) == "black"
    nothing_leaves(tab, address)


def test_what_is_no_picture_is_said_and_the_next_goes_on(browser: Browser, address: Address, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "huge.png").write_bytes(b"x" * (2**20 + 1))
    tab = opened(browser, address.url)
    tab.wait_for(OPEN)
    problem = "document.getElementById('problem').textContent"
    tab.drop(tmp_path / "notes.txt")
    assert tab.wait_for(problem).startswith("notes.txt: image: ")
    tab.drop(tmp_path / "huge.png")
    assert tab.wait_for(f"{problem}.startsWith('huge') && {problem}") == "huge.png: expected at most 1 MB, got 1.0 MB"
    tab.drop(*files(tmp_path, fine=250))
    tab.wait_for(f"{LABEL} === 'white'")
    assert tab.evaluate(problem) == ""
    assert all("422" in complaint for complaint in tab.complaints)


def test_a_pasted_picture(browser: Browser, address: Address) -> None:
    tab = opened(browser, address.url)
    tab.wait_for(OPEN)
    tab.evaluate(
        "new Promise(done => { const pad = document.createElement('canvas'); pad.width = pad.height = 20;"
        " pad.toBlob(blob => { const clip = new DataTransfer(); clip.items.add(new File([blob], 'clip.png'));"
        " document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: clip})); done(); }); })"
    )
    tab.wait_for(f"{LABEL} === 'white'")  # what is transparent shows the model's background


def test_the_browsers_own_camera_by_the_keyboard(browser: Browser, address: Address) -> None:
    tab = opened(browser, address.url)
    tab.wait_for(OPEN)
    for _ in range(2):
        tab.press("Tab", 9)
    assert tab.evaluate("document.activeElement.textContent") == "Use this browser's camera"
    tab.press("Enter", 13)
    tab.wait_for(f"{STATE} === 'Live' && document.querySelectorAll('#bars li').length === 4")
    tab.wait_for(f"{FIGURES}.includes('Frames per second')")
    assert tab.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    tab.press("Enter", 13)
    tab.wait_for(f"{STATE} === 'Ready' && document.getElementById('video').hidden")
    nothing_leaves(tab, address)


def test_the_first_frame_shows_its_figures(browser: Browser) -> None:
    camera = FakeCamera()
    capture = NewestFrames(camera.open, "door", retry_first=0.01, retry_longest=0.02)
    with running(a_service(capture=capture)) as address:
        tab = browser.new_page()
        # As on a machine so fast that everything happens in the page's first millisecond.
        tab.call("Page.addScriptToEvaluateOnNewDocument", source="performance.now = () => 1")
        tab.open(address.url)
        camera.show(np.full((48, 64, 3), 250, np.uint8))
        tab.wait_for(f"{LABEL} === 'white'")
        assert "Frames dropped" in tab.evaluate(FIGURES)
        camera.unplug()
        tab.wait_for(f"{STATE} === 'Camera lost'")
        assert tab.evaluate(FIGURES) == ""
        camera.plug()
        camera.show(np.full((48, 64, 3), 100, np.uint8))
        tab.wait_for(f"{LABEL} === 'dark'")
        assert "Frames dropped" in tab.evaluate(FIGURES)
        camera.unplug()


def test_the_stream_moves(browser: Browser) -> None:
    camera = FakeCamera()
    capture = NewestFrames(camera.open, "front door", retry_first=0.01, retry_longest=0.02)
    with running(a_service(capture=capture)) as address:
        tab = opened(browser, address.url)
        tab.wait_for(OPEN)
        assert tab.evaluate("document.getElementById('hint-text').textContent") == "front door"
        picture = (
            "(() => { const from = document.getElementById('picture'), pad = document.createElement('canvas');"
            " if (from.hidden || !from.naturalWidth) return null; const pen = pad.getContext('2d');"
            " pen.drawImage(from, 0, 0); return pen.getImageData(3, 3, 1, 1).data[0]; })()"
        )
        for value, label in ((250, "white"), (100, "dark"), (10, "black")):
            camera.show(np.full((48, 64, 3), value, np.uint8))
            tab.wait_for(f"{LABEL} === '{label}' && Math.abs({picture} - {value}) < 4")
        assert tab.evaluate(STATE) == "Live"
        tab.wait_for("document.getElementById('spoken').textContent === 'black, 100 %'")
        assert "Frames dropped" in tab.evaluate(FIGURES)
        assert tab.evaluate("document.getElementById('tools').hidden")
        camera.unplug()
        tab.wait_for(f"{STATE} === 'Camera lost'")
        # What was seen before does not look as if it were seen now.
        assert tab.evaluate(LABEL) == "–"
        assert tab.evaluate("document.querySelectorAll('#bars li').length") == 0
        assert tab.evaluate("getComputedStyle(document.getElementById('picture')).opacity") == "0.35"
        assert "front door: the camera gives no picture any more" in tab.evaluate("document.body.innerText")
        camera.plug()
        camera.show(np.full((48, 64, 3), 200, np.uint8))
        tab.wait_for(f"{LABEL} === 'white' && {STATE} === 'Live'")
        assert tab.evaluate("document.getElementById('problem').hidden")
        nothing_leaves(tab, address)
        # A page that nobody sees gives its connection back.
        hidden = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s});"
        change = "document.dispatchEvent(new Event('visibilitychange'))"
        tab.evaluate(hidden % "true" + change)
        address.wait_for_metric("edgecnn_event_streams", 0)
        tab.evaluate(hidden % "false" + change)
        camera.show(np.full((48, 64, 3), 10, np.uint8))
        tab.wait_for(f"{LABEL} === 'black'")
        camera.unplug()
    tab.wait_for(f"{STATE} === 'No connection' && {LABEL} === '–'")  # the server has ended


def test_the_token_is_asked_for_and_stays_out_of_the_address(browser: Browser) -> None:
    with running(a_service(token="right-token")) as address:
        tab = opened(browser, address.url)
        tab.wait_for("!document.getElementById('gate').hidden")
        assert tab.evaluate("document.activeElement.id") == "token"
        for shown in ("wrong", "right-token"):
            tab.evaluate(f"document.getElementById('token').value = '{shown}'")
            tab.press("Enter", 13)
            if shown == "wrong":
                tab.wait_for('document.body.innerText.includes("Expected the token of this server")')
        tab.wait_for(f"{OPEN} && document.getElementById('gate').hidden")
        assert tab.evaluate(STATE) == "Ready"

        linked = opened(browser, f"{address.url}#token=right-token")
        linked.wait_for(OPEN)
        assert linked.evaluate("location.href") == address.url
        assert not [url for url in linked.requests if "token" in url.partition("#")[0]]
        nothing_leaves(linked, address)


def test_a_busy_server_is_waited_for(browser: Browser, tmp_path: Path) -> None:
    backend = GatedBackend()
    with running(a_service(backend=backend, limits=RequestLimits(concurrency=1))) as address:
        tab = opened(browser, address.url)
        tab.wait_for(OPEN)
        backend.gate.clear()
        other = opened(browser, address.url)
        other.wait_for(OPEN)
        other.drop(*files(tmp_path, first=10))
        address.wait_for_metric("edgecnn_classify_under_way", 1)
        tab.drop(*files(tmp_path, second=250))
        tab.wait_for(f"{STATE} === 'Busy, waiting'")
        backend.gate.set()
        tab.wait_for(f"{LABEL} === 'white'")
        other.wait_for(f"{LABEL} === 'black'")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_it_fits_any_width_in_dark_and_light(
    width: int, dark: bool, browser: Browser, address: Address, tmp_path: Path
) -> None:
    tab = opened(browser, address.url, width=width, dark=dark)
    tab.wait_for(OPEN)
    tab.drop(*files(tmp_path, **{"a-very-long-name-of-a-file-without-any-space" * 3: 100}))
    tab.wait_for(f"{LABEL} === 'dark'")
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # As large as a finger, and as clear as WCAG asks for.
    assert tab.evaluate("Math.min(...[...document.querySelectorAll('button')].filter(b => b.offsetParent)"
                        ".map(b => b.getBoundingClientRect().height))") >= 44  # fmt: skip
    ink, paper = (tab.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
    assert contrast(ink, paper) > 7
    soft = tab.evaluate("getComputedStyle(document.getElementById('sure')).color")
    card = tab.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert contrast(soft, card) > 4.5
    shot = tmp_path / "page.png"
    tab.screenshot(shot)
    with Image.open(shot) as image:
        assert image.convert("RGB").getpixel((2, 2)) == ((15, 18, 23) if dark else (246, 247, 249))


def contrast(one: str, other: str) -> float:
    """Return WCAG 2's contrast ratio of two colours as `rgb(…)`."""
    levels = []
    for colour in (one, other):
        parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(levels) + 0.05) / (min(levels) + 0.05)


def test_everything_has_a_name_for_a_screen_reader(browser: Browser, address: Address) -> None:
    tab = opened(browser, address.url)
    tab.wait_for(OPEN)
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node]
    named = {"button", "link", "region", "heading", "textbox", "list"}
    assert [role for role, name in roles if role in named and not name] == []
    assert {("region", "Picture"), ("region", "Label"), ("button", "Choose pictures")} <= set(roles)
    assert "status" in {role for role, _ in roles}
    assert ("heading", "grey") in roles


def test_the_policy_names_what_may_run() -> None:
    policy = page().headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", page().content)
