"""A real JupyterLab and a real Chromium."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, ConsoleMessage, Page

ROOT = Path(__file__).parents[2]
SETTINGS = "settings/@jupyterlab/apputils-extension"
SHOTS = Path(__file__).parent / "shots"
EXTENSION = ROOT / "rlm_kernel" / "labextension"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
Json = dict[str, Any]

# What JupyterLab and Notebook themselves say, with any kernel; the last three are Notebook's, when it starts.
FOREIGN = (
    "favicon",
    "ResizeObserver loop",
    "schema could not be",
    "Failed to load resource",
    "translations",
    "(reading 'schema')",
    "'filebrowser:open-path' not registered",
    "@jupyter/docprovider-extension:",
)

CELLS = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const content = panel.content;
  return content.widgets.map(w => {
    const m = w.model;
    const json = m.toJSON();
    return {
      id: m.id, type: m.type, source: m.sharedModel.getSource(), metadata: json.metadata,
      outputs: json.outputs ?? [], count: json.execution_count ?? null, state: m.executionState ?? 'idle',
      hidden: w.isHidden, rendered: w.rendered ?? null, classes: w.node.className,
      text: w.node.textContent
    };
  });
}"""


IDLE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.map(w => w.model);
  return cells.every(m => m.type !== 'code' || m.executionState !== 'running')
    && !panel.node.querySelector('.rlm-RunBar-stop:not([hidden])');
}"""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Say with a failed test what its pages showed."""
    lab = getattr(item, "funcargs", {}).get("lab")
    if lab and call.when == "call" and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        for number, page in enumerate(lab.pages):
            call.excinfo.value.add_note(page.describe(f"failed-{item.name}-{number}"))


def find_chromium() -> str | None:
    """The browser to test with: ``CHROMIUM``, else one on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next((found for name in names if (found := shutil.which(name))), None)


def missing(reason: str) -> None:
    """Skip, but fail where the browser tests are required."""
    if os.environ.get("RLM_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Lab:
    """A running JupyterLab server with a folder of its own."""

    def __init__(self, root: Path, url: str, token: str, log: Path) -> None:
        self.root = root
        self.settings = root.parent / SETTINGS
        self.url = url
        self.token = token
        self.log = log
        self.pages: list[LabPage] = []
        """The tabs of this test."""

    def api(self, method: str, path: str) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None

    def end_sessions(self) -> None:
        """Lab takes a session up again by its path: each test begins without any."""
        for session in self.api("GET", "sessions"):
            self.api("DELETE", f"sessions/{session['id']}")


class LabPage:
    """One browser tab with a notebook in it."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.errors: list[str] = []
        lab.pages.append(self)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._note(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(message.text)

    def _note(self, text: str) -> None:
        if not any(part in text for part in FOREIGN):
            self.errors.append(text)

    # -- notebooks ------------------------------------------------------------------------------------------------

    def open(self, name: str, app: str = "lab", timeout: float = 60) -> LabPage:
        """Open a notebook that exists, and wait until its kernel is there."""
        path = f"lab/tree/{name}?reset" if app == "lab" else f"notebooks/{name}"
        mark = "&" if "?" in path else "?"
        self.page.goto(f"{self.lab.url}/{path}{mark}token={self.lab.token}")
        self.ready(timeout)
        return self

    def ready(self, timeout: float = 60) -> None:
        """Wait for the notebook and an answer of its kernel."""
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp?.shell?.currentWidget;
              const kernel = panel?.sessionContext?.session?.kernel;
              return !!panel?.content?.model && panel.context.isReady && ['idle', 'busy'].includes(kernel?.status);
            }""",
            timeout=timeout * 1000,
        )

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def command(self, name: str, **args: Any) -> None:
        """Start a command of Lab; what it gives back is not waited for."""
        self.page.evaluate("([name, args]) => { void window.jupyterapp.commands.execute(name, args); }", [name, args])

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    # -- cells ----------------------------------------------------------------------------------------------------

    def cells(self) -> list[Json]:
        """All cells: id, type, source, metadata, outputs, count, state, hidden, rendered, classes, text."""
        return self.page.evaluate(CELLS)

    def model_cells(self) -> list[Json]:
        """The cells a model wrote."""
        return [cell for cell in self.cells() if cell["metadata"].get("rlm", {}).get("run_id")]

    def set_cell(self, index: int, source: str) -> None:
        self.page.evaluate(
            """([index, source]) => {
              window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source);
            }""",
            [index, source],
        )

    def select(self, index: int) -> None:
        self.page.evaluate("index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index)

    def run_cell(self, index: int, *, wait: bool = True, timeout: float = 60) -> None:
        """Run one cell."""
        self.select(index)
        self._execute("notebook:run-cell", wait, timeout)

    def run_all(self, name: str = "notebook:run-all-cells", *, wait: bool = True, timeout: float = 120) -> None:
        self._execute(name, wait, timeout)

    def _execute(self, name: str, wait: bool, timeout: float) -> None:
        self.page.evaluate(
            """name => {
              const told = { over: false };
              window.executed = told;
              void window.jupyterapp.commands.execute(name).finally(() => { told.over = true; });
            }""",
            name,
        )
        if wait:
            self.wait_executed(timeout)

    def wait_executed(self, timeout: float = 60) -> None:
        """Wait until what was started last is over, and no cell runs."""
        self.wait_for("() => window.executed.over", timeout)
        self.wait_idle(timeout)

    def wait_idle(self, timeout: float = 60) -> None:
        """Wait until no cell runs and no run lasts."""
        self.page.wait_for_timeout(300)
        self.wait_for(IDLE, timeout)

    def counts(self) -> list[int]:
        """The execution counts of the cells that have run."""
        return [cell["count"] for cell in self.cells() if cell["count"]]

    def wait_for(self, script: str, timeout: float = 30, arg: Any = None) -> None:
        self.page.wait_for_function(script, arg=arg, timeout=timeout * 1000)

    def wait_model_cells(self, count: int, timeout: float = 30) -> None:
        """Wait until the model has written at least so many cells."""
        self.wait_until(lambda: len(self.model_cells()) >= count, timeout)

    def wait_until(self, true: Callable[[], bool], timeout: float = 30) -> None:
        """Wait for what is told by looking again and again."""
        deadline = time.monotonic() + timeout
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"It did not come within {timeout} s")
            self.page.wait_for_timeout(50)

    def kernel_status(self) -> str:
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status")

    # -- looking --------------------------------------------------------------------------------------------------

    def dark(self) -> None:
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
        )
        self.page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
        self.page.wait_for_timeout(500)

    def describe(self, name: str) -> str:
        """Say what the page shows, for the report of a failed test, and take a picture."""
        from playwright.sync_api import Error

        try:
            lines = [
                f"[{cell['count'] or ' '}] {cell['state']} {cell['classes']}\n{cell['source']}\n-> {cell['outputs']}"
                for cell in self.cells()
            ]
            parts = ".rlm-RunBar, .rlm-Waiting, .rlm-panel, .jp-Dialog, .jp-toast-message"
            lines += self.page.locator(parts).all_inner_texts()
            self.shot(re.sub(r"\W+", "-", name))
        except Error as reason:
            lines = [f"The page does not answer: {reason}"]
        return "\n".join(line[:2_000] for line in [*lines, *self.errors])

    def shot(self, name: str) -> Path:
        """Take a picture into tests/e2e/shots."""
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path."""
    found = find_chromium()
    if found is None:
        missing("no Chromium: put `chromium` on the PATH or name it in the variable CHROMIUM")
    return str(found)


@pytest.fixture(scope="session")
def lab(chromium: str, kernelspecs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all browser tests."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "notebooks"
    root.mkdir()
    options = []
    if (EXTENSION / "package.json").is_file():
        # The checkout's build, before one that is installed.
        shutil.copytree(EXTENSION, home / "extensions" / "rlm-kernel")
        options = [f"--LabApp.extra_labextensions_path={home / 'extensions'}"]
    elif not (Path(sys.prefix) / "share/jupyter/labextensions/rlm-kernel/package.json").is_file():
        missing("the JupyterLab extension is not built: run `pip install .` with Node.js on the PATH")
    quiet = home / SETTINGS
    quiet.mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(news))
    runtime = Path(tempfile.mkdtemp(prefix="rlm-"))  # short: paths of sockets are below it
    token, port = secrets.token_hex(16), free_port()
    environ = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "RLM_MODEL": os.environ.get("RLM_E2E_MODEL", "tutor"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", *options,
        # A port that is free when it is chosen may be another server's when the kernel comes to bind it.
        "--KernelManager.transport=ipc",
    ]  # fmt: skip
    log = home / "lab.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environ, start_new_session=True)
    running = Lab(root, f"http://127.0.0.1:{port}", token, log)
    try:
        wait_for_server(running, server)
        yield running
    finally:
        if server.poll() is None:
            running.end_sessions()
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(runtime, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_server(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            lab.api("GET", "status")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{lab.log.read_text()[-3000:]}")


# One a module: Playwright's loop runs in the main thread as long as it is open, and asyncio tests want their own.
@pytest.fixture(scope="module")
def browser(chromium: str, profile: Path) -> Iterator[BrowserContext]:
    """A Chromium for the browser tests of a module."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        size = {"width": 1280, "height": 900}
        launched = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS, viewport=size
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The browser's folder: it keeps JupyterLab's scripts compiled, which takes a third off the opening of a page."""
    return tmp_path_factory.mktemp("profile")


@pytest.fixture
def context(browser: BrowserContext, lab: Lab) -> Iterator[BrowserContext]:
    """A browser that remembers nothing of a test before, and a server without sessions."""
    yield browser
    blank, *tabs = browser.pages
    for tab in tabs:
        tab.close()
    browser.clear_permissions()
    cdp = browser.new_cdp_session(blank)
    cdp.send("Storage.clearDataForOrigin", {"origin": lab.url, "storageTypes": "cookies,local_storage,indexeddb"})
    cdp.detach()
    (lab.settings / "themes.jupyterlab-settings").unlink(missing_ok=True)
    lab.pages.clear()
    lab.end_sessions()


@pytest.fixture
def write_notebook(lab: Lab) -> Callable[..., str]:
    """Write a notebook of code cells for the RLM kernel into the server's folder; gives its name."""

    def write(*sources: str, name: str = "", kernel: str = "rlm") -> str:
        name = name or f"test-{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        )
        nbformat.write(notebook, lab.root / name)
        return name

    return write


@pytest.fixture
def script(lab: Lab) -> Callable[..., str]:
    """Write a script for the model; gives its name for ``--model``."""

    def write(*replies: str, chunk: int = 8, delay: float = 0.01, **options: Any) -> str:
        path = lab.root / f"script-{secrets.token_hex(4)}.json"
        path.write_text(json.dumps({"root": replies, "chunk": chunk, "delay": delay, **options}))
        return f"scripted:{path}"

    return write


@pytest.fixture
def tab(context: BrowserContext, lab: Lab) -> Callable[[], LabPage]:
    """Open another browser tab."""

    def new() -> LabPage:
        return LabPage(context.new_page(), lab)

    return new


@pytest.fixture
def notebook(tab: Callable[[], LabPage], write_notebook: Callable[..., str]) -> Callable[..., LabPage]:
    """Write a notebook, and open it in a new tab."""

    def make(*sources: str, app: str = "lab", name: str = "") -> LabPage:
        return tab().open(write_notebook(*sources, name=name), app)

    return make
