"""Serve a built book on this machine as a static host would: compressed, with chosen headers."""

from __future__ import annotations

import functools
import gzip
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TEXT = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt", ".md", ".webmanifest"}


@functools.lru_cache(maxsize=512)
def compressed(path: Path, modified: int) -> bytes:
    """Compress a file once, as long as it stays the same."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)


class Server(ThreadingHTTPServer):
    """A server that takes it calmly when a browser goes away."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


@contextmanager
def serve(book: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve a book beside the folders next to it, which its pages refer to; give its address.

    The address ends in a slash. The headers go with every answer.
    """
    extra = dict(headers or {})

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = Path(self.translate_path(self.path))
            if path.is_dir() and self.path.split("?")[0].endswith("/"):
                path /= "index.html"
            if path.suffix not in TEXT or not path.is_file():
                super().do_GET()
                return
            zipped = "gzip" in self.headers.get("Accept-Encoding", "")
            body = compressed(path, path.stat().st_mtime_ns) if zipped else path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", f"{self.guess_type(path)}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Vary", "Accept-Encoding")
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

        def end_headers(self) -> None:
            for name, value in extra.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    book = book.resolve()
    handler = functools.partial(Handler, directory=str(book.parent))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{book.name}/"
        server.shutdown()
