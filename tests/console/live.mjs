// Many open consoles while orders are placed: how late a change is on the page, and what that costs.
// `tests/console/run live.mjs`; see the page Measure of the book.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launch, pageOf } from "./browser.mjs";
import { participant, placeMany } from "./load.mjs";
import { quantile } from "./measuring.mjs";
import { Server } from "./server.mjs";

const number = (name, usual) => Number(process.env[name] ?? usual);
const CONSOLES = number("LIVE_CONSOLES", 50);
const PAGES = Math.min(CONSOLES, number("LIVE_PAGES", 5));
const RATE = number("LIVE_RATE", 100);
const SECONDS = number("LIVE_SECONDS", 60);
// Orders that are paused and resumed in turn, so that their rows change.
const WATCHED = 20;
const PAUSES_A_SECOND = 4;
// As in console/src/live/fresh.ts.
const SHORTEST_MS = 400;
const REST = 4;

const server = new Server();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

// A query side in another process, on the log and the database of `tenuto dev`.
async function queryApi() {
  const { eventStore, postgres } = JSON.parse(readFileSync(join(server.folder, "data", "running.json"), "utf8"));
  const given = ["query-api", "--event-store", eventStore, "--postgres", postgres, "--listen", "127.0.0.1:0", "--command-url", server.base];
  const child = spawn(process.env.TENUTO, given, { stdio: ["ignore", "pipe", "inherit"] });
  const base = await new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("tenuto query-api ended at its start")));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, address] = /^console at (http.*)\/$/.exec(line) ?? [];
      if (address) resolve(address);
    });
  });
  return { child, base };
}

// The processor time of a process, in seconds.
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

// What the list of all orders sends, so that consoles without a browser send the same.
async function whatAListSends(browser, base) {
  const page = await pageOf(browser, base);
  const sent = new Map();
  page.on("request", (request) => {
    const [, operation] = /(?:query|subscription) (\w+)/.exec(request.postData() ?? "") ?? [];
    if (operation) sent.set(operation, request.postData());
  });
  await page.goto("/ui/orders");
  await page.getByText("Live", { exact: true }).waitFor();
  await page.context().close();
  return { list: sent.get("Orders"), changes: sent.get("ListChanges") };
}

// A console without a browser: it follows the list of all orders, and loads it as the page does. `seen` has the
// first time at which the list had each id.
function follow(base, { list, changes }) {
  const seen = new Map();
  const ended = new AbortController();
  const request = async (body, accept) => {
    const response = await fetch(`${base}/graphql`, { method: "POST", headers: { "content-type": "application/json", accept }, body, signal: ended.signal });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response;
  };
  let isLoading = false;
  let hasChanged = false;
  let tookMs = 0;
  const load = async () => {
    const begun = Date.now();
    const { data } = await (await request(list, "application/json")).json();
    for (const { id } of data.orders.nodes) if (!seen.has(id)) seen.set(id, Date.now());
    tookMs = Date.now() - begun;
  };
  const changed = async () => {
    hasChanged = true;
    if (isLoading) return;
    isLoading = true;
    while (hasChanged && !ended.signal.aborted) {
      await sleep(Math.max(SHORTEST_MS, REST * tookMs));
      hasChanged = false;
      await load();
    }
    isLoading = false;
  };
  const failed = (error) => ended.signal.aborted || console.error(error);
  const run = async () => {
    const decoder = new TextDecoder();
    for await (const piece of (await request(changes, "text/event-stream")).body) {
      if (decoder.decode(piece).includes("event: next")) changed().catch(failed);
    }
  };
  run().catch(failed);
  return { seen, end: () => ended.abort() };
}

// Runs in the page: when each row of the list got the state that it shows.
function noteRows() {
  const states = new Map();
  globalThis.changes = [];
  const look = () => {
    for (const row of document.querySelectorAll("tbody tr")) {
      const id = row.querySelector("th a")?.textContent?.trim();
      const state = /Paused|Waiting/.exec(row.textContent ?? "")?.[0];
      if (!id || !state || states.get(id) === state) continue;
      states.set(id, state);
      globalThis.changes.push({ id, state, at: Date.now() });
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
}

// `act(number)`, so many times a second until the end; an act that is late does not delay the others.
async function steadily(aSecond, act) {
  const begun = Date.now();
  const acts = [];
  for (let done = 0; done < aSecond * SECONDS; done += 1) {
    await sleep(begun + (done * 1000) / aSecond - Date.now());
    acts.push(act(done));
  }
  await Promise.all(acts);
}

const show = (what, delays) =>
  console.log(`${what}: p50 ${quantile(delays, 0.5)} ms, p99 ${quantile(delays, 0.99)} ms, at most ${quantile(delays, 1)} ms (${delays.length} changes)`);

const stub = await participant({ done: () => [200, {}] });
await server.start("127.0.0.1:0", ["--no-samples"]);
const query = await queryApi();
const browser = await launch();
try {
  await server.post("/workflows", `workflow: quick\nversion: 1\nparticipants: { stub: { url: '${stub.url}' } }\nsteps:\n  act: { call: stub.done }\n`, "application/yaml");
  await server.post("/workflows", "workflow: watched\nversion: 1\nparticipants: {}\nsteps:\n  approve: { await: approval, timeout: 2d }\n", "application/yaml");
  const watched = Array.from({ length: WATCHED }, (_, number) => `watched-${number}`);
  await placeMany(server, WATCHED, (number) => ({ orderId: watched[number], workflow: "watched", customer: { id: "WATCHED" } }));
  await placeMany(server, 100, (number) => ({ orderId: `earlier-${number}`, workflow: "quick" }));

  const sends = await whatAListSends(browser, query.base);
  const pages = [];
  for (let number = 0; number < PAGES; number += 1) {
    const page = await pageOf(browser, query.base);
    await page.addInitScript(noteRows);
    await page.goto("/ui/orders?customer=WATCHED");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("rowheader").nth(WATCHED - 1).waitFor();
    pages.push(page);
  }
  const acceptedAt = new Map();
  const followers = Array.from({ length: CONSOLES - PAGES }, () => follow(query.base, sends));

  const before = { query: cpu(query.child.pid), rest: cpu(server.process.pid) };
  const begun = Date.now();
  const accepted = [];
  await Promise.all([
    steadily(RATE, async (number) => {
      const id = await server.place({ orderId: `live-${number}`, workflow: "quick" });
      acceptedAt.set(id, Date.now());
    }),
    steadily(PAUSES_A_SECOND, async (number) => {
      const isPause = Math.floor(number / WATCHED) % 2 === 0;
      const id = watched[number % WATCHED];
      await server.post(`/orders/${id}/${isPause ? "pause" : "resume"}`, { reason: "live" });
      accepted.push({ id, state: isPause ? "Paused" : "Waiting", at: Date.now() });
    }),
  ]);
  const took = (Date.now() - begun) / 1000;
  const share = (pid, earlier) => `${(((cpu(pid) - earlier) / took) * 100).toFixed(0)} % of a processor`;
  console.log(`${CONSOLES} consoles, ${PAGES} of them in a browser; ${(acceptedAt.size / took).toFixed(0)} orders a second for ${took.toFixed(0)} s`);
  console.log(`query-api: ${share(query.child.pid, before.query)}; command handler, projector and log: ${share(server.process.pid, before.rest)}`);

  // The last changes may still be on their way.
  await sleep(5_000);
  const onPages = [];
  let missed = 0;
  for (const page of pages) {
    const changes = await page.evaluate(() => globalThis.changes);
    for (const { id, state, at } of accepted) {
      // A page may be faster than the answer to the one who asked.
      const seen = changes.find((change) => change.id === id && change.state === state && change.at > at - 1_000);
      if (seen) onPages.push(Math.max(0, seen.at - at));
      else missed += 1;
    }
  }
  show("from acceptance to the row on the page", onPages);
  console.log(`${missed} changes were overtaken by the next one, or not seen`);
  const listed = followers.flatMap(({ seen }) => [...seen].filter(([id]) => acceptedAt.has(id)).map(([id, at]) => Math.max(0, at - acceptedAt.get(id))));
  show("from acceptance to the list of all orders, where it still had a place among the first 50", listed);
  for (const { end } of followers) end();
} finally {
  await browser.close();
  query.child.kill("SIGTERM");
  await server.remove();
  stub.close();
}
