"""Words of a page that are hard to read: each visible text against what is behind it, as WCAG 2 counts."""

from __future__ import annotations

from contextlib import suppress

from playwright.sync_api import Page, TimeoutError

# 4.5 : 1, or 3 : 1 for large letters (24 px, or 18.66 px in bold).
_HARD_TO_READ = """() => {
  const channels = (colour) => {
    const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const light = (rgb) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (left, right) => {
    const [low, high] = [light(left), light(right)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim();
    const element = walk.currentNode.parentElement;
    if (!text || element.closest('canvas, svg, style, script, noscript')) continue;
    if (element.closest('[disabled], [aria-disabled="true"]')) continue;
    if (element.closest('[data-testid="stIconMaterial"]')) continue; // a sign beside a word
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue; // for screen readers alone
    const chain = [];
    const painted = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const { top, bottom, width } = at.getBoundingClientRect();
      const middle = box.top + box.height / 2;
      chain.push(style);
      // The value of a slider's handle stands above it.
      if (width > 40 || (top <= middle && middle <= bottom)) painted.push(style);
    }
    if (chain.some((style) => style.backgroundImage !== 'none')) continue;
    const opacity = chain.reduce((product, style) => product * Number(style.opacity), 1);
    const paint = (below, style) => over(channels(style.backgroundColor), below);
    if (opacity * channels(chain[0].color)[3] < 0.05) continue; // shown on hover alone
    const behind = painted.reduceRight(paint, [255, 255, 255]);
    const [r, g, b, a] = channels(chain[0].color);
    const ratio = contrast(over([r, g, b, a * opacity], behind), behind);
    const size = parseFloat(chain[0].fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(chain[0].fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5) - 0.005) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
  }
  return [...new Set(found)];
}"""


def hard_to_read(page: Page, patience: int = 0) -> list[str]:
    """`3.91: the text` for each that falls short; waits so many milliseconds for colours in transition."""
    if patience:
        with suppress(TimeoutError):
            page.wait_for_function(f"() => ({_HARD_TO_READ})().length === 0", timeout=patience)
    return page.evaluate(_HARD_TO_READ)
