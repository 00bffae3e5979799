// Orders in bulk, and a participant that answers at once.

import { createServer } from "node:http";

// A participant. `answers` has a function for each action: of the attempt's number, to `[status, data]`.
export async function participant(answers) {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const [status, data] = answers[request.url.slice(1)](Number(request.headers["tenuto-attempt"]));
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ data }));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

// Places so many orders, `order(number)`, several at once.
export async function placeMany(server, count, order) {
  let next = 0;
  const place = async () => {
    while (next < count) await server.place(order(next++));
  };
  await Promise.all(Array.from({ length: 32 }, place));
}
