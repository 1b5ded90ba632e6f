"""A stand-in for the Hub on 127.0.0.1: as much of its HTTP interface as an upload needs."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TOKEN = "hf_secret0123456789"


@dataclass
class Repo:
    """A repository: its files, and the summaries of its commits."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> Path:
        """Write the files as a clone has them."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


@dataclass
class HubServer:
    """The state of the server. ``refuse`` maps the beginning of a path to the status to answer."""

    url: str = ""
    role: str = "write"
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def dataset(self, name: str) -> Repo:
        return self.repos["dataset", name]


@contextmanager
def running() -> Iterator[HubServer]:
    """The server, until the block ends."""
    state = HubServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(200, None)

    def do_GET(self) -> None:
        self._handle(b"")

    def do_PUT(self) -> None:
        body = self._body()
        self.state.requests.append(f"PUT {self.path}")
        self.state.blobs[self.path.rpartition("/")[2]] = body
        self._answer(200, {})

    def do_POST(self) -> None:
        self._handle(self._body())

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, value: Any) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self, body: bytes) -> None:
        path = urlsplit(self.path).path
        self.state.requests.append(f"{self.command} {path}")
        sent = self.headers.get("Authorization", "")
        for beginning, status in self.state.refuse.items():
            if path.startswith(beginning):
                return self._answer(status, {"error": f"refused {sent}"})  # a server that shows the token
        if sent != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "invalid credentials"})
        if path == "/api/whoami-v2":
            token = {"role": self.state.role, "displayName": "test"}
            return self._answer(200, {"name": "ann", "type": "user", "orgs": [], "auth": {"accessToken": token}})
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        return self._repo(path.split("/")[2:], body)

    def _create(self, wanted: dict[str, Any]) -> None:
        kind = wanted.get("type", "model")
        name = f"{wanted.get('organization') or 'ann'}/{wanted['name']}"
        is_new = (kind, name) not in self.state.repos
        if is_new:
            private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            self.state.repos[kind, name] = Repo(private)
        prefix = "datasets/" if kind == "dataset" else ""
        self._answer(200 if is_new else 409, {"url": f"{self.state.url}/{prefix}{name}"})

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = [
            {**item, "actions": {"upload": {"href": f"{self.state.url}/blobs/{item['oid']}"}}}
            if item["oid"] not in self.state.blobs
            else item
            for item in wanted["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _repo(self, parts: list[str], body: bytes) -> None:
        kinds, owner, name, *action = parts
        repo = self.state.repos.get((kinds.removesuffix("s"), f"{owner}/{name}"))
        if repo is None:
            return self._answer(404, {"error": "Repository not found"})
        if not action:
            siblings = [{"rfilename": file} for file in repo.files]
            about = {"id": f"{owner}/{name}", "sha": "0" * 40, "private": repo.private, "siblings": siblings}
            return self._answer(200, about)
        if action[0] == "preupload":
            return self._answer(200, {"files": [_mode(file) for file in json.loads(body)["files"]]})
        for line in map(json.loads, body.splitlines()):
            self._apply(repo, line["key"], line["value"])
        return self._answer(
            200, {"commitUrl": f"{self.state.url}/{owner}/{name}/commit/{'1' * 40}", "commitOid": "1" * 40}
        )

    def _apply(self, repo: Repo, key: str, value: dict[str, Any]) -> None:
        if key == "header":
            repo.commits.append(value["summary"])
        elif key == "file":
            repo.files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            content = self.state.blobs[value["oid"]]
            assert hashlib.sha256(content).hexdigest() == value["oid"]
            repo.files[value["path"]] = content
        else:
            assert key == "deletedFile"
            del repo.files[value["path"]]


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    is_large = file["path"].endswith((".parquet", ".safetensors"))
    return {"path": file["path"], "uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False}
