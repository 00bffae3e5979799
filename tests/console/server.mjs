// Starts `tenuto dev` in a fresh folder.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

// A running server. `listen` is its address; port 0 takes a free one.
export class Server {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "tenuto-console-"));
  }

  async start(listen = "127.0.0.1:0", more = []) {
    const given = ["dev", "--data", join(this.folder, "data"), "--listen", listen, ...more];
    this.process = spawn(process.env.TENUTO, given, { stdio: ["ignore", "pipe", "inherit"] });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    const lines = createInterface({ input: this.process.stdout });
    this.base = await new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error("tenuto dev did not start within 90 seconds")), 90_000);
      lines.on("line", (line) => {
        const [, address] = /^ {2}console {4}(http.*)\/$/.exec(line) ?? [];
        if (address) {
          clearTimeout(limit);
          resolve(address);
        }
      });
      this.ended.then(() => reject(new Error("tenuto dev ended at its start")));
    });
    return this;
  }

  // With callers that are authenticated by keys; the tests' own requests are those of an admin.
  async startGuarded(access = "") {
    const file = join(this.folder, "access.toml");
    writeFileSync(file, access);
    await this.start("127.0.0.1:0", ["--access", file]);
    this.token = await this.key("admin");
    return this;
  }

  // A new key of this role.
  async key(role, name = `${role}-key`) {
    const given = ["key", "create", "--role", role, "--name", name];
    const environment = { ...process.env, TENUTO_DATA: join(this.folder, "data") };
    return (await promisify(execFile)(process.env.TENUTO, given, { env: environment })).stdout.trim();
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  async remove() {
    if (this.process.exitCode === null) await this.stop();
    // Run by root, its database is in another folder.
    await promisify(execFile)(process.env.TENUTO, ["reset", "--yes", "--data", join(this.folder, "data")]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  // Sends JSON; an answer that is no success is an error.
  async post(path, body, type = "application/json") {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const credentials = this.token ? { authorization: `Bearer ${this.token}` } : {};
    const response = await fetch(this.base + path, { method: "POST", headers: { "content-type": type, ...credentials }, body: text });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async query(query, variables = {}) {
    const answer = await (await this.post("/graphql", { query, variables })).json();
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  }

  // Places an order, and waits until it is in this state.
  async place(order, state) {
    const usual = { workflow: "order-fulfilment", customer: { id: "AROUT" }, currency: "EUR" };
    const lines = [{ sku: "none-in-stock", name: "Chai", quantity: 1, unitPrice: "18.00" }];
    const { orderId } = await (await this.post("/orders", { ...usual, lines, ...order })).json();
    if (state) await this.until(`${orderId} is ${state}`, async () => (await this.state(orderId)) === state);
    return orderId;
  }

  async state(id) {
    return (await this.query("query($id: ID!) { order(id: $id) { state } }", { id })).order?.state;
  }

  async until(what, holds, limitMs = 60_000) {
    const limit = Date.now() + limitMs;
    while (!(await holds())) {
      if (Date.now() > limit) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
