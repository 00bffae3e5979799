// What the tests share: the client, names that no other test has, and events.

import { randomUUID } from "node:crypto";
import { after } from "node:test";

import { KurrentDBClient, binaryEvent, jsonEvent } from "@kurrent/kurrentdb-client";

export const client = KurrentDBClient.connectionString(process.env.TENUTO_EVENTSTORE);
after(() => client.dispose());

export const unique = (prefix) => `${prefix}-${randomUUID().replaceAll("-", "")}`;

export const event = (type = "Happened", given = {}) =>
  jsonEvent({ type, data: { sku: "11" }, metadata: { $correlationId: "c" }, ...given });

export const events = (count) => Array.from({ length: count }, (_, number) => event("Happened", { data: { number } }));

// The ids of events, be they new or read.
export const ids = (several) => several.map((one) => one.event?.id ?? one.id);

export const revisions = (several) => several.map((one) => one.event.revision);

// A link to an event of another stream.
export const link = (stream, revision) => binaryEvent({ type: "$>", data: Buffer.from(`${revision}@${stream}`) });

// Everything that a read gives.
export async function all(reading) {
  const read = [];
  for await (const one of reading) read.push(one);
  return read;
}

export const stream = (name, how) => all(client.readStream(name, how));

// The next few of a subscription, which goes on.
export async function take(subscription, count) {
  const coming = subscription.iterator({ destroyOnReturn: false });
  const taken = [];
  while (taken.length < count) {
    const { done, value } = await coming.next();
    if (done) throw new Error(`the subscription ended after ${taken.length} of ${count} events`);
    taken.push(value);
  }
  await coming.return();
  return taken;
}

// Uses a subscription, and ends it however that goes.
export async function using(subscription, use) {
  try {
    return await use(subscription);
  } finally {
    await subscription.unsubscribe();
  }
}

// Whether an error is of a class and has these fields: what `assert.rejects` asks.
export const refusal = (Class, fields = {}) => (error) => {
  if (!(error instanceof Class)) throw error;
  for (const [name, value] of Object.entries(fields)) {
    if (error[name] !== value) throw new Error(`${name} is ${error[name]} and not ${value}`, { cause: error });
  }
  return true;
};
