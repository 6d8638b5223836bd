import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { openNodeStream } from "./byteStream.node.ts";

/* Goal: a body comes whole, and none of its memory waits for the collector. */

test("each piece is right when it comes, and gone when the next is asked for", async () => {
  const block = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 2_654_435_761) >>> 24);
  const server = createServer((_request, response) => {
    response.writeHead(206, { "content-length": `${4 * block.length}` });
    for (let i = 0; i < 4; i += 1) response.write(block);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  // The second one takes the first one's connection.
  for (let round = 0; round < 2; round += 1) {
    const url = `http://127.0.0.1:${port}/`;
    const stream = openNodeStream(url, { headers: {}, timeoutMs: 30_000 });
    stream.end();
    const { status, body } = await stream.answer;
    const hash = createHash("sha256");
    const pieces: Uint8Array[] = [];
    for await (const bytes of body) {
      hash.update(bytes);
      pieces.push(bytes);
    }
    const expected = createHash("sha256");
    for (let i = 0; i < 4; i += 1) expected.update(block);
    expect(status).toBe(206);
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
    expect(pieces.filter(({ length }) => length > 0)).toEqual([]);
  }
  server.closeAllConnections();
  server.close();
});
