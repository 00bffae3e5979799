// What a browser loads: how much before the first order is on the screen, how long that takes, and nothing from elsewhere.

import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { done, launch, pageOf } from "./browser.mjs";
import { measured, median } from "./measuring.mjs";
import { Server } from "./server.mjs";

const server = new Server();
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

// Of JavaScript, in gzip, before the first page is there.
const MAX_SCRIPT_BYTES = 150_000;
const ROUNDS = 5;

// The bytes of a file as it is sent to a client that accepts gzip, and to one that does not.
async function bytesOf(path) {
  const load = (encoding) =>
    new Promise((resolve, reject) => {
      get(server.base + path, { headers: { "accept-encoding": encoding } }, async (response) => {
        const bytes = Buffer.concat(await response.toArray());
        assert.equal(response.statusCode, 200, path);
        resolve({ bytes, isGzip: response.headers["content-encoding"] === "gzip" });
      }).once("error", reject);
    });
  const [plain, small] = [await load("identity"), await load("gzip")];
  assert.deepEqual(small.isGzip ? gunzipSync(small.bytes) : small.bytes, plain.bytes, `${path} is the same in both encodings`);
  return { plain: plain.bytes.length, gzip: small.bytes.length };
}

test("the first page loads at most 150 kB of JavaScript, and shows its first order", async () => {
  const times = [];
  let loaded;
  for (let round = 0; round < ROUNDS; round += 1) {
    const page = await measured(await pageOf(browser, server.base));
    await page.goto("/ui/orders");
    await page.getByRole("rowheader").first().waitFor();
    await page.evaluate(() => globalThis.takeMeasured());
    times.push(await page.evaluate(() => globalThis.firstRowAt));
    loaded = await page.evaluate(() => [location.href, ...performance.getEntriesByType("resource").map(({ name }) => name)]);
    await done(page);
  }
  const files = [...new Set(loaded.map((url) => new URL(url).pathname))].filter((path) => path.startsWith("/ui/"));
  let script = 0;
  for (const path of files) {
    const { plain, gzip } = await bytesOf(path);
    console.log(`${path}: ${plain} bytes, ${gzip} with gzip`);
    if (path.endsWith(".js")) script += gzip;
  }
  console.log(`the first order is on the screen after ${median(times).toFixed(0)} ms, with nothing in the browser's cache`);
  assert.ok(script > 0 && script <= MAX_SCRIPT_BYTES, `${script} bytes of JavaScript`);
});

test("with every connection to other machines blocked, no page misses anything", async () => {
  const other = await browser.newPage();
  await assert.rejects(other.goto("http://198.51.100.1/"), /ERR_NAME_NOT_RESOLVED/);
  await other.close();
  const page = await pageOf(browser, server.base);
  const missing = [];
  page.on("response", (response) => response.status() < 400 || missing.push(`${response.url()}: ${response.status()}`));
  page.on("requestfailed", (request) => request.failure().errorText.includes("ERR_ABORTED") || missing.push(`${request.url()}: ${request.failure().errorText}`));
  for (const path of ["/", "/ui/orders", "/ui/orders/sample-shipped", "/ui/stuck", "/ui/approvals", "/ui/workflows", "/ui/workflows/order-fulfilment", "/ui/participants", "/ui/audit"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).first().waitFor();
    await server.until(`${path} shows something`, () => page.evaluate(() => document.querySelector("main").innerText.length > 40));
  }
  await done(page);
  assert.deepEqual(missing, []);
});
