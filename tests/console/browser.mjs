// A browser whose pages report what they must not do: load from elsewhere, or fail.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";

// Every connection to another machine fails: the console must miss nothing then.
const OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", OFFLINE] });

export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 390, height: 844 };

// A page of an own browser profile, with a list of its faults.
export async function pageOf(browser, base, { viewport = WIDE, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, baseURL: base });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    // A server that is away is an error of the browser, and a refused operation is one too.
    const isExpected = /Failed to load resource/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isExpected) page.faults.push(message.text());
  });
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog of the browser: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${base}/`)) page.faults.push(`a request to ${request.url()}`);
  });
  return page;
}

// Closes the page's profile; a page with faults fails.
export async function done(page) {
  await page.context().close();
  assert.deepEqual(page.faults, []);
}

// The violations of WCAG 2.2 AA on the page as it is.
export async function violations(page) {
  await page.evaluate(axe.source);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }), tags);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`));
}

// The largest picture, in bytes.
const MAX_BYTES = 60_000;

// Keeps a picture of the page for the book, where that is asked for.
export async function picture(page, name) {
  if (!process.env.UPDATE_SCREENSHOTS) return;
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 75 });
  const bytes = Buffer.from(data, "base64");
  assert.ok(bytes.length <= MAX_BYTES, `${name} has ${bytes.length} bytes`);
  mkdirSync(process.env.SCREENSHOTS, { recursive: true });
  writeFileSync(join(process.env.SCREENSHOTS, `${name}.webp`), bytes);
}
