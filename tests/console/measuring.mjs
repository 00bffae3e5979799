// What a reader of a page feels: how long after an input the next frame is there, and for how long the page does not answer.

// Runs in the page, before its own scripts.
function observe() {
  let inputs = [];
  let tasks = [];
  const painted = (then) => requestAnimationFrame(() => setTimeout(then));
  const listen = ({ timeStamp }) => painted(() => inputs.push(performance.now() - timeStamp));
  for (const type of ["keydown", "click", "input"]) addEventListener(type, listen, { capture: true, passive: true });
  const observer = new PerformanceObserver((list) => keep(list.getEntries()));
  const keep = (entries) => tasks.push(...entries.map(({ duration }) => duration));
  observer.observe({ type: "longtask", buffered: true });
  // When the first row of a list is on the screen.
  new MutationObserver((_, own) => {
    if (!document.querySelector("tbody th a")) return;
    own.disconnect();
    painted(() => (globalThis.firstRowAt = performance.now()));
  }).observe(document, { childList: true, subtree: true });
  globalThis.takeMeasured = () =>
    new Promise((resolve) =>
      painted(() =>
        painted(() => {
          keep(observer.takeRecords());
          resolve({ input: Math.max(0, ...inputs), task: Math.max(0, ...tasks) });
          [inputs, tasks] = [[], []];
        }),
      ),
    );
}

// Makes the page measure itself from its next address on.
export const measured = async (page) => (await page.addInitScript(observe), page);

const ROUNDS = 3;

// Loads an address until `shown` resolves, and does each of the acts, several times. The result has the median in milliseconds
// of each act (`input`: until the next frame, `shown`: until the act resolves) and the longest task, of the best round.
export async function measure(page, address, shown, acts = {}) {
  const takes = Object.fromEntries(["load", ...Object.keys(acts)].map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, act] of Object.entries({ load: () => page.goto(address).then(() => shown(page)), ...acts })) {
      const begun = performance.now();
      await act(page);
      const took = performance.now() - begun;
      takes[name].push({ ...(await page.evaluate(() => globalThis.takeMeasured())), shown: took });
    }
  }
  const all = (name, what) => takes[name].map((take) => take[what]);
  return Object.fromEntries(
    Object.keys(takes).map((name) => [
      name,
      { input: median(all(name, "input")), shown: median(all(name, "shown")), task: Math.min(...all(name, "task")) },
    ]),
  );
}

// How long this browser takes to lay out a plain table of 5,000 rows: what tasks are compared with.
export async function unit(browser) {
  const page = await browser.newPage();
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    times.push(
      await page.evaluate(() => {
        const begun = performance.now();
        const table = document.createElement("table");
        for (let row = 0; row < 5_000; row += 1) for (let cell = 0, own = table.insertRow(); cell < 4; cell += 1) own.insertCell().textContent = `${row} ${cell}`;
        document.body.replaceChildren(table);
        table.getBoundingClientRect();
        return performance.now() - begun;
      }),
    );
  }
  await page.close();
  return Math.min(...times);
}

export const median = (values) => quantile(values, 0.5);

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
