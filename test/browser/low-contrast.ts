import type { Page } from 'playwright-core';

/** Texts with a contrast below 4.5:1, the least that WCAG 2 asks for at level AA. */
export function lowContrast(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    type Color = readonly [number, number, number];
    const parse = (value: string) => (value.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: Color) => {
      const [r, g, b] = color.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgroundOf = (element: Element | null): Color => {
      for (let at = element; at !== null; at = at.parentElement) {
        const [r = 0, g = 0, b = 0, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
        if (alpha > 0) return [r, g, b];
      }
      return [255, 255, 255];
    };
    const found: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue?.trim());
      if (!own || !element.checkVisibility() || element.matches(':disabled')) continue;
      const [r = 0, g = 0, b = 0] = parse(getComputedStyle(element).color);
      const [light, dark] = [luminance([r, g, b]), luminance(backgroundOf(element))].sort((x, y) => y - x) as [
        number,
        number,
      ];
      const ratio = (light + 0.05) / (dark + 0.05);
      if (ratio < 4.5) found.push(`${element.tagName} ${element.textContent?.slice(0, 30)} ${ratio.toFixed(2)}`);
    }
    return found;
  });
}
