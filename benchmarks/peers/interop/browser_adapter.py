"""ONNX Runtime and LiteRT in a headless Chromium, on WebAssembly, whichever of them the environment has."""

import json
import shutil
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from adapter import answer_job, decode, first_words

PAGE = Path(__file__).with_name("browser_page.html")
ENGINES = ("onnxruntime-web", "@litertjs/core")
PATIENCE = 60.0  # seconds, beside those for the images


class _Server(ThreadingHTTPServer):
    """Serves one job and the engine's files; `answered` is set when the page has posted its `answer`."""

    def __init__(self, environment, documents):
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=environment))
        self.documents, self.answer, self.answered = documents, {}, threading.Event()


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def do_GET(self):
        content = self.server.documents.get(self.path)
        if content is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        self.server.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.answered.set()

    def end_headers(self):
        # An isolated page has a clock of 5 microseconds in place of 100.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *words):
        """Print nothing."""


def answer_file(job, file):
    """Have a page classify the images of a file."""
    images = np.load(file["images"])
    engine = next(name for name in ENGINES if (Path(job["environment"]) / "node_modules" / name).is_dir())
    facts = {"engine": engine, "shape": images.shape[1:], "seconds": job["seconds"]}
    documents = {
        "/": PAGE.read_bytes(),
        "/job": json.dumps(facts).encode(),
        "/images": images.tobytes(),
        "/model": Path(file["model"]).read_bytes(),
    }
    posted = _browse(_Server(job["environment"], documents), job["seconds"] + PATIENCE)
    error = first_words(posted["error"]) if posted.get("error") else None
    answer = {"opened": posted["opened"], "error": error, "images": 0, "microseconds": None, "note": None}
    if posted["rows"] and not error:
        np.save(file["probabilities"], decode(np.array(posted["rows"], posted["kind"])))
        answer["images"], answer["microseconds"] = len(posted["rows"]), float(np.median(posted["times"]))
    return answer


def _browse(server, seconds):
    """Open the page and return what it posts, or that it does not answer."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        return {"opened": False, "error": "no Chromium here", "rows": []}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="edgecnn-", ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", f"--user-data-dir={profile}"]
        address = f"http://127.0.0.1:{server.server_port}/"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([program, *options, address], **quiet)
        try:
            answered = server.answered.wait(seconds)
        finally:
            process.kill()
            process.wait()
            server.shutdown()
            server.server_close()
    return server.answer if answered else {"opened": False, "error": "the page does not answer", "rows": []}


if __name__ == "__main__":
    answer_job(answer_file)
