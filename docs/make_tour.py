"""The pictures of docs/tour.md: the app on a fresh home, and a real chromium that walks over its pages.

Run: `python docs/make_tour.py`, or with the names of some pictures behind it (two minutes; `make chromium`
installs the browser where there is none). It writes docs/tour/*.png, in few colours, so that each is small.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "tour"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WIDTH, COLOURS = 1280, 224
PATIENCE = 300_000  # milliseconds
MINE = "my first run"
TRAINING = [
    "--split",
    "languages",
    "--algorithm",
    "fomaml",
    "--preset",
    "tiny",
    "--steps",
    "120",
    "--name",
    MINE,
]
BOTH = "runs=base+meta-trained&runs=base+joint+twin"

READY = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  return all('[data-testid="stSkeleton"]').length === 0 && all(".metalm-chart").every((c) => c.dataset.ready);
}"""


def nothing(_: Page) -> None:
    """The page is shown as its address opens it."""


@dataclass(frozen=True)
class Picture:
    """What is photographed: a page by its address, after `act` has done what a reader would do there."""

    name: str
    address: str
    height: int = 860
    width: int = WIDTH
    scheme: str = "light"
    act: Callable[[Page], None] = nothing


def adapt(page: Page) -> None:
    """Adapts both runs to the sample text, in a few steps, and waits until all is there."""
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Adaptation steps", exact=True).fill("10")
    page.get_by_label("Adaptation steps", exact=True).press("Tab")
    settle(page)
    page.get_by_role("button", name="Adapt", exact=True).click()
    expect(page.get_by_role("button", name="Export as HTML")).to_be_visible(timeout=PATIENCE)


def look_up(page: Page) -> None:
    """Opens the glossary, and looks a word up."""
    page.get_by_role("button", name="Glossary").click()
    page.get_by_role("dialog").get_by_label("Search").fill("weights")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("slow weights").first).to_be_visible()


PICTURES_OF = (
    Picture("overview", ""),
    Picture("glossary", "tasks", 700, act=look_up),
    Picture("corpora", "corpora?corpus=el", 1100),
    Picture("tasks", "tasks?split=languages", 1000),
    Picture("task", "task?split=languages&task=el", 1150),
    Picture("train", "train?split=languages&algorithm=fomaml", 1000),
    Picture("watch", f"train?view=Watch&watch={MINE.replace(' ', '+')}", 900),
    Picture("runs", "runs?runs=base+meta-trained", 1150),
    Picture("run", "run?run=base+meta-trained&look=Results", 1150),
    Picture("curves", f"compare?{BOTH}", 900),
    Picture(
        "compare", f"compare?{BOTH}&view=Tasks&look=Forest&by=near+and+far&place=languages+·+meta-test", 1100
    ),
    Picture("studies", "studies?view=New+study", 760),
    Picture("adapt", f"adapt?{BOTH}", 1350, act=adapt),
    Picture("phone", f"compare?{BOTH}&view=Tasks", 1450, 420, "dark"),
)


@contextmanager
def running_app(home: Path) -> Iterator[str]:
    """The address of an app on a free port, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "metalm", "--home", str(home), "app", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(address: str, process: subprocess.Popen) -> None:
    """Returns when the app answers; fails when it has ended, or a minute is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health"):
                return
        except urllib.error.URLError:
            time.sleep(0.2)
    raise SystemExit("the app does not answer")


def settle(page: Page) -> None:
    """Waits until the script has run, its tables are drawn and its charts too."""
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_function(READY)


def taken(browser: Browser, address: str, picture: Picture) -> bytes:
    """The picture, as PNG in few colours."""
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(viewport=size, color_scheme=picture.scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/{picture.address}")
    settle(page)
    picture.act(page)
    settle(page)
    page.mouse.move(0, 0)
    shot = page.screenshot(animations="disabled")
    context.close()
    small = BytesIO()
    image = Image.open(BytesIO(shot)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def main(names: list[str]) -> None:
    """Takes the pictures of these names, all for none; to be watched, a small run is trained on the way."""
    wanted = [picture for picture in PICTURES_OF if not names or picture.name in names]
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit(f"no browser: one of {', '.join(BROWSERS)} is needed; `make chromium` installs it")
    expect.set_options(timeout=PATIENCE)
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="metalm-tour-") as folder,
        running_app(Path(folder, "home")) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        metalm = [sys.executable, "-m", "metalm", "--home", str(Path(folder, "home"))]
        for picture in wanted:
            if picture.name == "watch":
                subprocess.run([*metalm, "train", *TRAINING], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            png = taken(browser, address, picture)
            PICTURES.joinpath(f"{picture.name}.png").write_bytes(png)
            print(f"{picture.name}.png  {len(png) / 1000:.0f} kB", flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
