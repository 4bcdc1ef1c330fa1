// Loads a page in a headless browser in each way of looking at it, and prints what it measured.
// node browser.cjs FOLDER_OF_THE_PACKAGES FILE

const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { createRequire } = require('node:module');

const [folder, file] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(folder), 'package.json'));
const puppeteer = load('puppeteer-core');

// The texts whose color is less than 4.5 : 1 against what is behind them (WCAG 2.2, 1.4.3).
function measure() {
  const channels = color => color.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map(value => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    texts += 1;
    const ends = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
    const ratio = (Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05);
    if (ratio < 4.5) low.push(`${walker.currentNode.data.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  const root = document.documentElement;
  return {
    overflow: Math.max(0, root.scrollWidth - root.clientWidth),
    texts,
    texts_of_low_contrast: low,
    background: getComputedStyle(document.body).backgroundColor,
    scripts: document.scripts.length + document.images.length,
    landmarks: [...document.body.children].map(child => child.tagName),
  };
}

async function look(browser, { name, scheme, width, print }) {
  const page = await browser.newPage();
  const complaints = [];
  let requests = 0;
  page.on('console', message => complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('request', () => (requests += 1));
  await page.setViewport({ width, height: 800 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  if (print) await page.emulateMediaType('print');
  await page.goto(pathToFileURL(path.resolve(file)).href, { waitUntil: 'load' });
  // The page itself is the one request.
  const seen = { name, requests: requests - 1, complaints, ...(await page.evaluate(measure)) };
  if (!print) {
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    seen.opened_by_keyboard = await page.evaluate(
      () => document.querySelector('details').open && document.activeElement.tagName === 'SUMMARY'
    );
    const open = await page.evaluate(measure);
    seen.overflow = Math.max(seen.overflow, open.overflow);
  } else {
    seen.exchange_is_printed = await page.evaluate(() =>
      document.querySelector('pre').checkVisibility({ contentVisibilityAuto: true })
    );
  }
  if (process.env.ADCP_TEST_BROWSER_PICTURES) {
    const picture = path.join(process.env.ADCP_TEST_BROWSER_PICTURES, `${name}.png`);
    await page.screenshot({ path: picture, fullPage: true });
  }
  await page.close();
  return seen;
}

async function main() {
  const bundled = load('@sparticuz/chromium');
  const chromium = bundled.default ?? bundled;
  const browser = await puppeteer.launch({
    args: [...chromium.args, '--no-sandbox'],
    executablePath: await chromium.executablePath(),
    headless: 'shell',
  });
  try {
    const looks = [];
    for (const scheme of ['light', 'dark']) {
      for (const width of [360, 1280]) {
        looks.push(await look(browser, { name: `${scheme}-${width}`, scheme, width }));
      }
    }
    looks.push(await look(browser, { name: 'print', scheme: 'dark', width: 794, print: true }));
    process.stdout.write(JSON.stringify(looks));
  } finally {
    await browser.close();
  }
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
