// Signing in with an OIDC issuer: the way there and back, and what goes wrong on it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { done, launch, pageOf, violations } from "./browser.mjs";
import { Issuer } from "./issuer.mjs";
import { Server } from "./server.mjs";

const server = new Server();
const issuer = new Issuer();
let browser;

before(async () => {
  await issuer.start();
  const file = join(server.folder, "access.toml");
  const lines = [
    "[issuers.company]",
    `url = "${issuer.url}"`,
    'audiences = ["tenuto"]',
    'console-client-id = "console"',
    "[issuers.company.roles]",
    'operator = ["operator"]',
  ];
  writeFileSync(file, lines.join("\n"));
  [browser] = await Promise.all([launch(), server.start("127.0.0.1:0", ["--access", file])]);
});

after(async () => {
  await browser?.close();
  await server.remove();
  await issuer.stop();
});

// A page for which the issuer is no foreign server.
async function page() {
  const page = await pageOf(browser, server.base);
  page.isExpected = (fault) => fault.startsWith(`a request to ${issuer.url}/`);
  return page;
}

async function finish(page) {
  page.faults = page.faults.filter((fault) => !page.isExpected(fault));
  await done(page);
}

test("a person signs in with the issuer, and returns to the page where it was", async () => {
  const console = await page();
  await console.goto("/ui/orders?state=STUCK");
  assert.deepEqual(await violations(console), []);
  await console.getByRole("button", { name: "Sign in with company" }).click();
  await console.getByRole("heading", { name: "Orders" }).waitFor();
  await console.getByText("ann@company").waitFor();
  const { pathname, search } = new URL(console.url());
  assert.equal(pathname + search, "/ui/orders?state=STUCK", "neither code nor state stays in the address");
  assert.deepEqual(await console.evaluate(() => [document.cookie, localStorage.length]), ["", 0]);
  await console.reload();
  await console.getByText("ann@company").waitFor();
  await finish(console);
});

test("an issuer that refuses is reported with its reason, and the next try succeeds", async () => {
  const console = await page();
  issuer.denies = "access_denied";
  await console.goto("/");
  await console.getByRole("button", { name: "Sign in with company" }).click();
  await console.getByRole("alert").getByText("company did not sign you in: access_denied").waitFor();
  issuer.denies = undefined;
  await console.getByRole("button", { name: "Sign in with company" }).click();
  await console.getByRole("heading", { name: "Overview" }).waitFor();
  await finish(console);
});

test("a code that this tab did not ask for is not used", async () => {
  const console = await page();
  await console.goto("/ui/signed-in?code=stolen&state=made-up");
  await console.getByRole("alert").getByText("not begun in this tab").waitFor();
  assert.equal(new URL(console.url()).search, "");
  await finish(console);
});
