"""Waiting for a page to be whole."""

from __future__ import annotations

from playwright.sync_api import Page

# A script that has not begun does not run either, and a click is heard of a moment later.
_QUIET = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const rests = app?.dataset.testScriptState === 'notRunning' && document.querySelector('h1');
  if (!rests) window.restsSince = undefined;
  else window.restsSince ??= performance.now();
  return rests && performance.now() - window.restsSince > 300;
}"""


def settled(page: Page) -> None:
    """Waits until the page has its title and its script has not run for 0.3 seconds."""
    page.evaluate("window.restsSince = undefined")
    page.wait_for_function(_QUIET)
